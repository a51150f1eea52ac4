"""The regions of one image in which prediction and label differ, without the thin lines along borders."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from maskline.contracts.classes import VOID

BINS = 100  # of confidence
MOST = 32  # regions of an image
_LEAST = np.float32(1e-3)  # a lower probability counts as this one
_PART = 200  # a line along a border is up to two of this many parts of the shorter side wide


class Region(NamedTuple):
    """Connected pixels of one label and one predicted class, and the box around them.

    Attributes:
        pixels: number of pixels.
        confidence: int64 [BINS], those of its pixels that are not at its edge, by confidence.
        ratio: mean logarithm, over the same pixels, of the predicted class's probability divided by the label's.
    """

    label: int
    predicted: int
    x: int
    y: int
    width: int
    height: int
    pixels: int
    confidence: np.ndarray
    ratio: float


def find_regions(
    labels: np.ndarray, prediction: np.ndarray, confidence: np.ndarray, true_class: np.ndarray
) -> list[Region]:
    """Return the MOST regions with the most pixels that are not at their edge, the largest first.

    Models and people rarely agree about the last pixels of a border. So a region is what remains after an opening by a
    square, which is 3 pixels wide in an image of up to 300 pixels; void pixels are in no region.

    Args:
        labels: uint8 [H, W], void 255.
        prediction: uint8 [H, W].
        confidence: float32 [H, W], the probabilities of `prediction`.
        true_class: float32 [H, W], the probabilities of `labels`.
    """
    ratio = np.log(np.maximum(confidence, _LEAST) / np.maximum(true_class, _LEAST))
    pairs = _pairs(labels, prediction)
    square = _square(labels.shape)
    inside = np.where(cv2.erode(pairs, square) == cv2.dilate(pairs, square), pairs, 0)
    numbers, counts = np.unique(inside[inside > 0], return_counts=True)
    most = counts >= np.sort(counts)[-MOST:].min(initial=1)
    found = [
        region
        for number in numbers[most]
        for region in _of_pair(inside == number, square, labels, prediction, confidence, ratio)
    ]
    return sorted(found, key=_order)[:MOST]


def _pairs(labels: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return a number for each pair of a label and another prediction, uint16 [H, W]; 0: no such pair, or void."""
    pairs = labels.astype(np.uint16) * VOID + prediction + 1
    pairs[(labels == prediction) | (labels == VOID)] = 0
    return pairs


def _square(shape: tuple[int, ...]) -> np.ndarray:
    radius = max(1, round(min(shape) / _PART))
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def _of_pair(
    inside: np.ndarray,
    square: np.ndarray,
    labels: np.ndarray,
    prediction: np.ndarray,
    confidence: np.ndarray,
    ratio: np.ndarray,
) -> Iterator[Region]:
    """Yield the regions of a pair; `inside` is bool [H, W], its pixels that are not at an edge."""
    opened = cv2.dilate(inside.astype(np.uint8), square)
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(opened)
    for number in range(1, count):
        x, y, width, height, pixels = boxes[number].tolist()
        box = np.s_[y : y + height, x : x + width]
        core = inside[box] & (parts[box] == number)
        bins = np.minimum((confidence[box][core] * BINS).astype(np.int64), BINS - 1)
        first = np.unravel_index(core.argmax(), core.shape)
        yield Region(
            int(labels[box][first]),
            int(prediction[box][first]),
            x,
            y,
            width,
            height,
            pixels,
            np.bincount(bins, minlength=BINS),
            float(ratio[box][core].mean(dtype=np.float64)),
        )


def _order(region: Region) -> tuple[int, ...]:
    return -int(region.confidence.sum()), region.y, region.x, -region.pixels, region.height
