"""Quality of the borders between classes: Boundary IoU, and accuracy by distance to a border.

Distances are chessboard distances: a pixel is within d of another if both its row and its column are at most d away.
Void pixels do not count and have no contour, because the class behind them is unknown. The distance of two classes on
both sides of a thin void line is the distance between their pixels.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from maskline.contracts.classes import VOID
from maskline.metrics.scores import ratio

TRIMAP_DISTANCES = (1, 2, 4, 8, 16)  # pixels


def boundary_counts(truth: np.ndarray, prediction: np.ndarray, classes: int, width: float = 0.02) -> np.ndarray:
    """Count the pixels of each class that lie close to its contour, for Boundary IoU (Cheng et al., CVPR 2021).

    As in the authors' code, the image's edge is a contour of both ground truth and prediction.

    Args:
        truth: uint8 [H, W] in 0..classes-1 or void.
        prediction: uint8 [H, W] in 0..classes-1.
        classes: C.
        width: of the band inside the contour, as a share of the image's diagonal; the band has at least one pixel.

    Returns:
        int64 [C, 3]: pixels in the ground truth's band, in the prediction's band, and in both.
    """
    distance = max(1, round(width * math.hypot(*truth.shape)))
    prediction = np.where(truth == VOID, truth, prediction)
    true_band, predicted_band = _band(truth, distance), _band(prediction, distance)
    both = true_band & predicted_band & (truth == prediction)
    in_band = (truth[true_band], prediction[predicted_band], truth[both])
    return np.stack([np.bincount(labels, minlength=classes) for labels in in_band], axis=-1)


def boundary_iou(counts: np.ndarray) -> np.ndarray:
    """Return the Boundary IoU per class, float64 [..., C], of counts [..., C, 3]; NaN if no pixel is in a band."""
    truth, predicted, both = np.moveaxis(counts, -1, 0)
    return ratio(both, truth + predicted - both)


def trimap_counts(truth: np.ndarray, prediction: np.ndarray, distances: Sequence[int] = TRIMAP_DISTANCES) -> np.ndarray:
    """Count the pixels around the ground truth's borders, and the correct ones among them (Kohli et al., IJCV 2009).

    Args:
        truth: uint8 [H, W] of classes or void.
        prediction: uint8 [H, W] of classes.
        distances: D distances in pixels; a valid pixel is in the band if another class is within the distance.

    Returns:
        int64 [D, 2]: pixels in the band, and correct pixels in it.
    """
    correct = truth == prediction
    bands = [_near_another_class(truth, distance) for distance in distances]
    return np.array([(np.count_nonzero(band), np.count_nonzero(band & correct)) for band in bands], np.int64)


def trimap_accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of correct pixels, float64 [..., D], of counts [..., D, 2]; NaN for an empty band."""
    return ratio(counts[..., 1], counts[..., 0])


def _band(labels: np.ndarray, distance: int) -> np.ndarray:
    """Mark the valid pixels within the distance of their class's contour or of the image's edge, bool [H, W]."""
    inside = (slice(distance, -distance),) * 2
    edge = np.ones(labels.shape, bool)
    edge[inside] = False
    return (edge & (labels != VOID)) | _near_another_class(labels, distance)


def _near_another_class(labels: np.ndarray, distance: int) -> np.ndarray:
    """Mark the valid pixels that have a pixel of another class within the distance, bool [H, W]."""
    window = np.ones((2 * distance + 1,) * 2, np.uint8)
    void = labels == VOID
    lowest = cv2.erode(labels, window)  # void is above every class
    highest = cv2.dilate(np.where(void, np.uint8(0), labels), window)
    return (lowest != highest) & ~void
