"""Metrics derived from integer confusion matrices (rows: ground truth, columns: prediction).

A class absent from both ground truth and prediction has no value (NaN) and is left out of means.
"""

from collections.abc import Sequence

import numpy as np


def iou(matrix: np.ndarray) -> np.ndarray:
    """Return TP / (TP + FP + FN) per class, float64 [..., C], of matrices [..., C, C]."""
    hits, truth, predicted = _counts(matrix)
    return ratio(hits, truth + predicted - hits)


def dice(matrix: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN) per class, float64 [..., C]."""
    hits, truth, predicted = _counts(matrix)
    return ratio(2 * hits, truth + predicted)


def precision(matrix: np.ndarray) -> np.ndarray:
    """Return TP / (TP + FP) per class, float64 [..., C]; NaN if no pixel is predicted as the class."""
    hits, _, predicted = _counts(matrix)
    return ratio(hits, predicted)


def recall(matrix: np.ndarray) -> np.ndarray:
    """Return TP / (TP + FN) per class, float64 [..., C]; NaN if the ground truth lacks the class."""
    hits, truth, _ = _counts(matrix)
    return ratio(hits, truth)


def pixel_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Return the share of correct pixels among valid ones, float64 [...]; NaN if none is valid."""
    return ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def mean_over_classes(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without NaN; NaN if there is nothing to average."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def mean_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Return the mean recall of the classes in the ground truth, float64 [...]."""
    return mean_over_classes(recall(matrix))


def mean_iou(matrix: np.ndarray) -> np.ndarray:
    """Return the mean IoU of the classes in ground truth or prediction, float64 [...]."""
    return mean_over_classes(iou(matrix))


def mean_dice(matrix: np.ndarray) -> np.ndarray:
    """Return the mean Dice of the classes in ground truth or prediction, float64 [...]."""
    return mean_over_classes(dice(matrix))


def frequency_weighted_iou(matrix: np.ndarray) -> np.ndarray:
    """Return the mean IoU of the classes in the ground truth, weighted by their true pixels, float64 [...]."""
    truth = matrix.sum(axis=-1)
    return ratio((np.nan_to_num(iou(matrix)) * truth).sum(axis=-1), truth.sum(axis=-1))


HEADLINES = {
    "pixel_accuracy": pixel_accuracy,
    "mean_accuracy": mean_accuracy,
    "mean_iou": mean_iou,
    "mean_dice": mean_dice,
    "frequency_weighted_iou": frequency_weighted_iou,
}


def summary(matrices: np.ndarray, names: Sequence[str]) -> dict[str, float | int | None]:
    """Return the headline and per-class figures of one confusion matrix over all images.

    Args:
        matrices: int [N, C, C], one per image.
        names: the C classes' names.

    Returns:
        A flat mapping, floats rounded to 6 digits, None if a class has no value.
    """
    total = matrices.sum(axis=0)
    figures: dict[str, float | int | None] = {"images": len(matrices)}
    figures |= {name: rounded(metric(total)) for name, metric in HEADLINES.items()}
    for key, metric in {"iou": iou, "dice": dice, "precision": precision, "recall": recall}.items():
        figures |= {f"{key}.{name}": rounded(value) for name, value in zip(names, metric(total), strict=True)}
    return figures | {f"pixels.{name}": int(n) for name, n in zip(names, total.sum(axis=1), strict=True)}


def _counts(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1), matrix.sum(axis=-2)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide without warnings; 0 / 0 gives NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.true_divide(numerator, denominator)


def rounded(value: float | np.ndarray) -> float | None:
    """Return a number or a zero-dimensional array for JSON: rounded to 6 digits, None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)
