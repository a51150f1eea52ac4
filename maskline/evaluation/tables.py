"""The rows of the tables that evaluate writes, computed from the counts of a split."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from maskline.contracts.counts import Counts
from maskline.contracts.images import ImageRow
from maskline.contracts.tables import CalibrationBin, ConfusionCell, SizeRow, TrimapRow
from maskline.metrics.boundary import TRIMAP_DISTANCES, trimap_accuracy
from maskline.metrics.calibration import bin_middles, reliability
from maskline.metrics.scores import iou, mean_over_classes, pixel_accuracy, ratio
from maskline.metrics.sizes import SIZES, iou_by_size


def confusion_cells(matrix: np.ndarray, names: Sequence[str]) -> list[ConfusionCell]:
    """Return one row per pair of classes, from the confusion matrix int64 [C, C] of all images."""
    shares = ratio(matrix, matrix.sum(axis=1, keepdims=True))
    pairs = [(actual, predicted) for actual in names for predicted in names]
    return [
        ConfusionCell(actual=actual, predicted=predicted, pixels=pixels, share=share)
        for (actual, predicted), pixels, share in zip(pairs, matrix.ravel().tolist(), _cells(shares), strict=True)
    ]


def calibration_bins(counts: np.ndarray, confidence: np.ndarray) -> list[CalibrationBin]:
    """Return one row per bin, from counts int64 [K, 2] and sums of confidences [K] over all images."""
    middles = bin_middles(len(counts)).round(4).tolist()
    columns = zip(middles, *map(_cells, reliability(counts, confidence)), counts[:, 0].tolist(), strict=True)
    return [
        CalibrationBin(bin=middle, confidence=confidence, accuracy=accuracy, pixels=pixels)
        for middle, confidence, accuracy, pixels in columns
    ]


def trimap_rows(counts: np.ndarray) -> list[TrimapRow]:
    """Return one row per distance of TRIMAP_DISTANCES, from counts int64 [D, 2] over all images."""
    columns = zip(TRIMAP_DISTANCES, _cells(trimap_accuracy(counts)), counts[:, 0].tolist(), strict=True)
    return [TrimapRow(distance=distance, accuracy=accuracy, pixels=pixels) for distance, accuracy, pixels in columns]


def size_rows(matrices: np.ndarray, names: Sequence[str]) -> list[SizeRow]:
    """Return one row per class and size, from the confusion matrices int64 [N, C, C] of N images."""
    images, ious = iou_by_size(matrices)
    pairs = [(name, size) for name in names for size in SIZES]
    return [
        SizeRow(name=name, size=size, images=count, iou=value)
        for (name, size), count, value in zip(pairs, images.ravel().tolist(), _cells(ious), strict=True)
    ]


def image_rows(counts: Counts, names: Sequence[str]) -> list[ImageRow]:
    """Return one row per image."""
    per_class = iou(counts.matrices)
    columns: dict[str, list[Any]] = {
        "filename": counts.filenames.tolist(),
        "void_pixels": counts.void.sum(axis=-1).tolist(),
        "pixel_accuracy": _cells(pixel_accuracy(counts.matrices)),
        "mean_iou": _cells(mean_over_classes(per_class)),
        "uncertainty": _cells(counts.uncertainty),
        **{f"iou.{name}": _cells(per_class[:, i]) for i, name in enumerate(names)},
    }
    return [ImageRow(**row) for row in _rows(columns)]


def _rows(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))


def _cells(values: np.ndarray) -> list[float | None]:
    """Return values of any shape as a flat list, rounded to 6 digits; NaN becomes None."""
    return [None if value != value else value for value in np.asarray(values).round(6).ravel().tolist()]
