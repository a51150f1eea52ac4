"""Confusion matrices of single images, the only place that counts pixels by true and predicted class."""

import numpy as np

from maskline.contracts.classes import VOID


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Count an image's pixels by true and predicted class; void pixels never count in the matrix.

    Args:
        truth: uint8 [H, W] in 0..classes-1 or void.
        prediction: uint8 [H, W] in 0..classes-1.
        classes: C.

    Returns:
        The matrix int64 [C, C], rows ground truth, columns prediction; and the predictions on void pixels by class,
        int64 [C].
    """
    rows = np.where(truth == VOID, np.uint8(classes), truth).astype(np.int32)
    pairs = np.bincount((classes * rows + prediction).ravel(), minlength=classes * (classes + 1))
    table = pairs.reshape(classes + 1, classes)
    return table[:classes], table[classes]


def confusion_matrices(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Return the matrices int64 [B, C, C] of a batch of labels and predictions uint8 [B, H, W]; see `confusion`."""
    return np.stack([confusion(*pair, classes)[0] for pair in zip(truth, prediction, strict=True)])
