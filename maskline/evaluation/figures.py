"""The files of figures: what is told of a split's counts, free of TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from maskline.metrics.bootstrap import interval, intervals
from maskline.metrics.boundary import TRIMAP_DISTANCES, boundary_iou, trimap_accuracy
from maskline.metrics.calibration import expected_calibration_error, reliability_table
from maskline.metrics.conventions import conventions
from maskline.metrics.scores import iou, mean_over_classes, pixel_accuracy, rounded, summary
from maskline.metrics.sizes import iou_by_size

RESAMPLES = 1000


def figures(counts: Mapping[str, np.ndarray], names: Sequence[str], batch_size: int, seed: int) -> dict[str, Any]:
    """Return evaluation.json: headline and per-class figures, their 95 % intervals, and the conventions of others."""
    boundary = boundary_iou(counts["boundary"].sum(axis=0))
    error = expected_calibration_error(counts["calibration"].sum(axis=0), counts["confidence"].sum(axis=0))
    ends = intervals(counts["matrices"], names, seed, RESAMPLES)
    ends |= {
        "boundary_iou": _ends(counts["boundary"], lambda sums: mean_over_classes(boundary_iou(sums)), seed),
        "expected_calibration_error": _ends(_calibration(counts), _calibration_error, seed),
    }
    return {
        **summary(counts["matrices"], names),
        "boundary_iou": rounded(mean_over_classes(boundary)),
        "expected_calibration_error": rounded(error),
        **{f"boundary_iou.{name}": rounded(value) for name, value in zip(names, boundary, strict=True)},
        "interval": {key: {"low": low, "high": high} for key, (low, high) in ends.items()},
        "conventions": conventions(counts["matrices"], counts["void"], batch_size),
    }


def _ends(counts: np.ndarray, metric: Any, seed: int) -> tuple[float | None, float | None]:
    low, high = interval(counts, metric, seed, RESAMPLES)
    return rounded(low), rounded(high)


def _calibration(counts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return pixels, right ones and confidence side by side, float64 [N, K, 3]."""
    return np.concatenate([counts["calibration"], counts["confidence"][..., None]], axis=-1)


def _calibration_error(sums: np.ndarray) -> np.ndarray:
    return expected_calibration_error(sums[..., :2], sums[..., 2])


def plot_tables(
    counts: Mapping[str, np.ndarray], names: Sequence[str], found: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Return the tables for `dvc plots` by file name: calibration, trimap, iou and sizes; `found` are the `figures`."""
    trimap = counts["trimap"].sum(axis=0)
    keys = [f"iou.{name}" for name in names]
    low, high = ([found["interval"][key][end] for key in keys] for end in ("low", "high"))
    near = {"distance": TRIMAP_DISTANCES, "accuracy": trimap_accuracy(trimap).round(6), "pixels": trimap[:, 0]}
    of_classes = {"class": names, "iou": [found[key] for key in keys], "low": low, "high": high}
    return {
        "calibration": reliability_table(counts["calibration"].sum(axis=0), counts["confidence"].sum(axis=0)),
        "trimap": pd.DataFrame(near),
        "iou": pd.DataFrame(of_classes),
        "sizes": iou_by_size(counts["matrices"], names),
    }


def confusion_table(matrix: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return one row per pair of classes: actual, predicted, pixels, and the share of the true class's pixels."""
    square = pd.DataFrame(matrix, pd.Index(names, name="actual"), pd.Index(names, name="predicted"))
    table = square.stack().rename("pixels").reset_index()
    table["share"] = (table["pixels"] / np.repeat(matrix.sum(axis=1), len(names))).round(6)
    return table


def image_table(filenames: Sequence[str], counts: Mapping[str, np.ndarray], names: Sequence[str]) -> pd.DataFrame:
    """Return one row per image: filename, void pixels, its figures, mean uncertainty, and the IoU of each class."""
    per_class = iou(counts["matrices"])
    columns = {
        "filename": filenames,
        "void_pixels": counts["void"].sum(axis=-1),
        "pixel_accuracy": pixel_accuracy(counts["matrices"]).round(6),
        "mean_iou": mean_over_classes(per_class).round(6),
        "uncertainty": counts["uncertainty"].round(6),
    }
    return pd.DataFrame(columns | {f"iou.{name}": per_class[:, i].round(6) for i, name in enumerate(names)})
