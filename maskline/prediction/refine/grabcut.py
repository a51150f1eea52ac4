"""GrabCut for each class separately, initialized with the prediction; the classes are then merged.

Rother, Kolmogorov and Blake, SIGGRAPH 2004, in OpenCV's implementation: two mixtures of Gaussians model the colors of
the class and of the rest, and a minimum cut decides the pixels near the class's border.
"""

from typing import NamedTuple

import cv2
import numpy as np


class GrabCutParams(NamedTuple):
    """The parameters of GrabCut.

    Attributes:
        band: distance in pixels on both sides of a class's border within which pixels can change.
        iterations: of fitting the color models and cutting.
    """

    band: int = 3
    iterations: int = 2


def refined_by_grabcut(image: np.ndarray, probabilities: np.ndarray, params: GrabCutParams) -> np.ndarray:
    """Return labels uint8 [H, W]: the most probable of the classes that claim a pixel, or of all if none claims it.

    Each class keeps the pixels well inside it and the more confident half of all its pixels, so that no class vanishes.
    A class that GrabCut cannot cut keeps all its pixels.

    Args:
        image: uint8 [H, W, 3], RGB.
        probabilities: float [H, W, C].
        params: of GrabCut.
    """
    predicted = probabilities.argmax(axis=-1)
    scores = probabilities.astype(np.float32)
    for label in np.unique(predicted):
        scores[..., label] += _claimed(image, predicted == label, probabilities[..., label], params)
    return scores.argmax(axis=-1).astype(np.uint8)


def _claimed(image: np.ndarray, region: np.ndarray, probability: np.ndarray, params: GrabCutParams) -> np.ndarray:
    """Return the pixels, bool [H, W], that GrabCut assigns to the class predicted in `region`, bool [H, W]."""
    mask = _seeds(region, probability, params.band)
    rows, columns = (slice(low, high) for low, high in _around(region, 3 * params.band))
    part = np.ascontiguousarray(mask[rows, columns])
    if not np.isin(part, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        return region
    cv2.setRNGSeed(0)  # for the k-means that initializes the color models
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cut = np.ascontiguousarray(image[rows, columns])
        unused = (0, 0, 0, 0)  # the rectangle, which GC_INIT_WITH_MASK ignores
        cv2.grabCut(cut, part, unused, *models, params.iterations, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return region
    claimed = np.zeros_like(region)
    claimed[rows, columns] = np.isin(part, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return claimed


def _seeds(region: np.ndarray, probability: np.ndarray, band: int) -> np.ndarray:
    """Return OpenCV's mask, uint8 [H, W], of certain and probable foreground and background for the class."""
    square = np.ones((2 * band + 1, 2 * band + 1), np.uint8)
    inside = cv2.erode(region.astype(np.uint8), square) > 0
    confident = region & (probability >= np.median(probability[region]))
    mask = np.where(cv2.dilate(region.astype(np.uint8), square) > 0, cv2.GC_PR_BGD, cv2.GC_BGD)
    mask[region] = cv2.GC_PR_FGD
    mask[inside | confident] = cv2.GC_FGD
    return mask.astype(np.uint8)


def _around(region: np.ndarray, margin: int) -> list[tuple[int, int]]:
    """Return the range of rows and the range of columns, end exclusive, that a region spans with a margin."""
    spans = []
    for axis in (1, 0):
        places = np.flatnonzero(region.any(axis=axis))
        spans.append((max(0, places[0] - margin), places[-1] + 1 + margin))
    return spans
