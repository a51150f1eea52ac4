"""GrabCut for each class on its own, seeded by the prediction, and the classes joined again.

Rother, Kolmogorov and Blake, SIGGRAPH 2004, as OpenCV has it: colours of a class and of all else are modelled by two
mixtures of Gaussians, and a minimal cut decides the pixels near the class's border.
"""

from typing import NamedTuple

import cv2
import numpy as np


class GrabCutParams(NamedTuple):
    """How far and how often GrabCut may move a border.

    Attributes:
        band: pixels to either side of a class's border that are decided anew; all others stay.
        iterations: of fitting the colours and cutting.
    """

    band: int = 3
    iterations: int = 2


def refined_by_grabcut(image: np.ndarray, probabilities: np.ndarray, params: GrabCutParams) -> np.ndarray:
    """Return labels uint8 [H, W]: of the classes that claim a pixel, the most probable; of all, where none does.

    Pixels well inside a class and the surer half of all its pixels stay its own, so no class vanishes; one that GrabCut
    cannot cut keeps all its pixels.

    Args:
        image: uint8 [H, W, 3], RGB.
        probabilities: float [H, W, C].
        params: how far and how often.
    """
    predicted = probabilities.argmax(axis=-1)
    scores = probabilities.astype(np.float32)
    for label in np.unique(predicted):
        scores[..., label] += _claimed(image, predicted == label, probabilities[..., label], params)
    return scores.argmax(axis=-1).astype(np.uint8)


def _claimed(image: np.ndarray, region: np.ndarray, probability: np.ndarray, params: GrabCutParams) -> np.ndarray:
    """Return the pixels bool [H, W] that GrabCut gives to a class predicted in `region` bool [H, W]."""
    mask = _seeds(region, probability, params.band)
    rows, columns = (slice(low, high) for low, high in _around(region, 3 * params.band))
    part = np.ascontiguousarray(mask[rows, columns])
    if not np.isin(part, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        return region
    cv2.setRNGSeed(0)  # of the k-means that starts the colours
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cut = np.ascontiguousarray(image[rows, columns])
        nowhere = (0, 0, 0, 0)  # a rectangle that GC_INIT_WITH_MASK ignores
        cv2.grabCut(cut, part, nowhere, *models, params.iterations, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return region
    claimed = np.zeros_like(region)
    claimed[rows, columns] = np.isin(part, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return claimed


def _seeds(region: np.ndarray, probability: np.ndarray, band: int) -> np.ndarray:
    """Return OpenCV's mask uint8 [H, W]: what is surely and what is probably the class, and what is not."""
    square = np.ones((2 * band + 1, 2 * band + 1), np.uint8)
    inside = cv2.erode(region.astype(np.uint8), square) > 0
    surer = region & (probability >= np.median(probability[region]))
    mask = np.where(cv2.dilate(region.astype(np.uint8), square) > 0, cv2.GC_PR_BGD, cv2.GC_BGD)
    mask[region] = cv2.GC_PR_FGD
    mask[inside | surer] = cv2.GC_FGD
    return mask.astype(np.uint8)


def _around(region: np.ndarray, margin: int) -> list[tuple[int, int]]:
    """Return the first row and the one after the last that a region spans, with a margin, and its columns alike."""
    spans = []
    for axis in (1, 0):
        places = np.flatnonzero(region.any(axis=axis))
        spans.append((max(0, places[0] - margin), places[-1] + 1 + margin))
    return spans
