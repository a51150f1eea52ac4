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


class Place(NamedTuple):
    """A box, and how many of its pixels are those that it is around."""

    x: int
    y: int
    width: int
    height: int
    pixels: int

    @property
    def box(self) -> tuple[slice, slice]:
        """Return rows and columns."""
        return np.s_[self.y : self.y + self.height, self.x : self.x + self.width]


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


class _Piece(NamedTuple):
    """The pixels of one pair in one island; `core` of them are not at an edge, and all are in the box."""

    island: int
    pair: int
    core: int
    box: tuple[slice, slice]


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
    pairs = _pairs(labels, prediction)
    square = _square(labels.shape)
    inside = np.where(cv2.erode(pairs, square) == cv2.dilate(pairs, square), pairs, 0)
    opened = cv2.dilate(inside, square)  # each pixel 0 or its own pair, because squares of two pairs share no pixel
    _, islands = cv2.connectedComponents((opened > 0).astype(np.uint8))
    found: list[Region] = []
    for piece in _largest_first(islands, inside, len(square) // 2):
        if len(found) >= MOST and piece.core < sorted(map(_core, found), reverse=True)[MOST - 1]:
            break
        rows, columns = piece.box
        mask = (islands[piece.box] == piece.island) & (opened[piece.box] == piece.pair)
        for part, core in _parts(mask, mask & (inside[piece.box] > 0)):
            place = part._replace(x=int(columns.start) + part.x, y=int(rows.start) + part.y)
            found.append(_region(place, core, labels, prediction, confidence, true_class))
    return sorted(found, key=_order)[:MOST]


def _pairs(labels: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return a number for each pair of a label and another prediction, uint16 [H, W]; 0: no such pair, or void."""
    pairs = labels.astype(np.uint16) * VOID + prediction + 1
    pairs[(labels == prediction) | (labels == VOID)] = 0
    return pairs


def _square(shape: tuple[int, ...]) -> np.ndarray:
    radius = max(1, round(min(shape) / _PART))
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def _largest_first(islands: np.ndarray, inside: np.ndarray, radius: int) -> Iterator[_Piece]:
    """Yield the pieces of all islands, those with the most pixels that are not at an edge first."""
    rows, columns = np.nonzero(inside)
    keys = islands[rows, columns].astype(np.int64) << 16 | inside[rows, columns]
    order = np.argsort(keys, kind="stable")
    numbers, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
    (top, bottom), (left, right) = (
        (np.minimum.reduceat(at[order], starts), np.maximum.reduceat(at[order], starts)) for at in (rows, columns)
    )
    low, high = np.maximum([top, left], radius) - radius, np.array([bottom, right]) + radius + 1
    for index in np.argsort(-counts, kind="stable").tolist():
        box = np.s_[low[0, index] : high[0, index], low[1, index] : high[1, index]]
        yield _Piece(int(numbers[index]) >> 16, int(numbers[index]) & 0xFFFF, int(counts[index]), box)


def _parts(mask: np.ndarray, core: np.ndarray) -> Iterator[tuple[Place, np.ndarray]]:
    """Yield the MOST connected parts of a mask that have the most core pixels, each with its core, bool [h, w]."""
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    pixels = np.bincount(parts[core], minlength=count)[1:]
    least = np.sort(pixels)[-MOST:].min(initial=1)
    for number in np.flatnonzero(pixels >= least) + 1:
        place = Place(*boxes[number].tolist())
        yield place, core[place.box] & (parts[place.box] == number)


def _region(
    place: Place,
    core: np.ndarray,
    labels: np.ndarray,
    prediction: np.ndarray,
    confidence: np.ndarray,
    true_class: np.ndarray,
) -> Region:
    first = np.unravel_index(core.argmax(), core.shape)
    sure, given = confidence[place.box][core], true_class[place.box][core]
    ratio = np.log(np.maximum(sure, _LEAST) / np.maximum(given, _LEAST))
    return Region(
        int(labels[place.box][first]),
        int(prediction[place.box][first]),
        *place,
        np.bincount(np.minimum((sure * BINS).astype(np.int64), BINS - 1), minlength=BINS),
        float(ratio.mean(dtype=np.float64)),
    )


def _core(region: Region) -> int:
    return int(region.confidence.sum())


def _order(region: Region) -> tuple[int, ...]:
    return -_core(region), region.y, region.x, -region.pixels, region.height
