"""Every metric, derived from integer confusion matrices (rows: truth, columns: prediction); free of TensorFlow.

A class absent from both truth and prediction has no value (NaN) and is left out of means.
"""

from collections.abc import Sequence

import numpy as np


def iou(matrix: np.ndarray) -> np.ndarray:
    """Return TP / (TP + FP + FN) per class, float64 [..., C], of matrices [..., C, C]."""
    hits, truth, predicted = _counts(matrix)
    return _ratio(hits, truth + predicted - hits)


def dice(matrix: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN) per class, float64 [..., C]."""
    hits, truth, predicted = _counts(matrix)
    return _ratio(2 * hits, truth + predicted)


def precision(matrix: np.ndarray) -> np.ndarray:
    """Return TP / (TP + FP) per class, float64 [..., C]; NaN where nothing was predicted."""
    hits, _, predicted = _counts(matrix)
    return _ratio(hits, predicted)


def recall(matrix: np.ndarray) -> np.ndarray:
    """Return TP / (TP + FN) per class, float64 [..., C]; NaN where the truth has none."""
    hits, truth, _ = _counts(matrix)
    return _ratio(hits, truth)


def pixel_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Return the share of valid pixels that are right, float64 [...]; NaN where none is valid."""
    return _ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def mean_over_classes(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without NaN; NaN where there is nothing to average."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def frequency_weighted_iou(matrix: np.ndarray) -> float:
    """Return the mean IoU of the classes in the truth, weighted by their true pixels."""
    truth = matrix.sum(axis=-1)
    return float(_ratio(np.where(truth > 0, np.nan_to_num(iou(matrix)) * truth, 0.0).sum(), truth.sum()))


def summary(matrices: np.ndarray, names: Sequence[str]) -> dict[str, float | int | None]:
    """Return the headline and per-class figures of one confusion matrix over all images.

    Args:
        matrices: int [N, C, C], one per image.
        names: the C classes' names.

    Returns:
        A flat mapping, floats rounded to 6 digits, None where a class has no value.
    """
    total = matrices.sum(axis=0)
    figures = {
        "images": len(matrices),
        "pixel_accuracy": rounded(pixel_accuracy(total)),
        "mean_accuracy": rounded(mean_over_classes(recall(total))),
        "mean_iou": rounded(mean_over_classes(iou(total))),
        "mean_dice": rounded(mean_over_classes(dice(total))),
        "frequency_weighted_iou": rounded(frequency_weighted_iou(total)),
    }
    for key, metric in {"iou": iou, "dice": dice, "precision": precision, "recall": recall}.items():
        figures |= {f"{key}.{name}": rounded(value) for name, value in zip(names, metric(total), strict=True)}
    return figures | {f"pixels.{name}": int(n) for name, n in zip(names, total.sum(axis=1), strict=True)}


def _counts(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1), matrix.sum(axis=-2)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.true_divide(numerator, denominator)


def rounded(value: float) -> float | None:
    """Return a figure as JSON holds it: 6 digits, None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)
