"""Metrics of semantic segmentation, all derived from integer counts of single images, without TensorFlow.

`confusion_matrices` counts pixels by true and predicted class, and most other functions take a sum of such matrices.
Each function is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskline.metrics.bootstrap import interval, intervals
    from maskline.metrics.boundary import boundary_counts, boundary_iou, trimap_accuracy, trimap_counts
    from maskline.metrics.calibration import calibration_counts, expected_calibration_error
    from maskline.metrics.confusion import confusion_matrices
    from maskline.metrics.scores import (
        dice,
        frequency_weighted_iou,
        iou,
        mean_accuracy,
        mean_dice,
        mean_iou,
        pixel_accuracy,
        precision,
        recall,
    )

_MODULES = {
    "bootstrap": ("interval", "intervals"),
    "boundary": ("boundary_counts", "boundary_iou", "trimap_accuracy", "trimap_counts"),
    "calibration": ("calibration_counts", "expected_calibration_error"),
    "confusion": ("confusion_matrices",),
    "scores": (
        "dice",
        "frequency_weighted_iou",
        "iou",
        "mean_accuracy",
        "mean_dice",
        "mean_iou",
        "pixel_accuracy",
        "precision",
        "recall",
    ),
}

__all__ = [
    "boundary_counts",
    "boundary_iou",
    "calibration_counts",
    "confusion_matrices",
    "dice",
    "expected_calibration_error",
    "frequency_weighted_iou",
    "interval",
    "intervals",
    "iou",
    "mean_accuracy",
    "mean_dice",
    "mean_iou",
    "pixel_accuracy",
    "precision",
    "recall",
    "trimap_accuracy",
    "trimap_counts",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"maskline.metrics.{module}"), name)
    raise AttributeError(f"module 'maskline.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
