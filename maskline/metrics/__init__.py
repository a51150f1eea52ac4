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

_MODULES = ("scores", "confusion", "bootstrap", "calibration", "boundary")  # OpenCV, which boundary imports, comes last

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
    if name in __all__:
        for module in _MODULES:
            if found := getattr(importlib.import_module(f"maskline.metrics.{module}"), name, None):
                return found
    raise AttributeError(f"module 'maskline.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
