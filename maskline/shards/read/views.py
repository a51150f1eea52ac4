"""Augmentations that move image and labels together: mirroring, turning, zooming, moving and cropping.

An operation is as `operation.py` describes it. What lies outside the image is its reflection, of image and labels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from maskline.contracts.fit import Size
from maskline.shards.read.draws import Draw, picked, signed
from maskline.shards.read.operation import Operation, first
from maskline.shards.read.rare import Pixel, rare_pixel

_LINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_NEAREST = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
_OUTSIDE = cv2.BORDER_REFLECT_101
_LEFT_RIGHT, _TOP_BOTTOM = 1, 0  # OpenCV's codes
_TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


def flip(image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    """Mirror image and labels left to right with probability 0.5."""
    mirror(image, labels, draws[Draw.FLIP], _LEFT_RIGHT)


def flip_vertical(image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    """Mirror image and labels top to bottom with probability 0.5."""
    mirror(image, labels, draws[Draw.FLIP_VERTICAL], _TOP_BOTTOM)


def mirror(image: np.ndarray, labels: np.ndarray, draw: np.float32, code: int = _LEFT_RIGHT) -> None:
    """Mirror image and labels if a draw from [0, 1) is below 0.5."""
    if draw < 0.5:
        cv2.flip(image, code, image)
        cv2.flip(labels, code, labels)


def quarter_turn(image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    """Turn a square image and its labels by 0, 90, 180 or 270 degrees, each with probability 0.25."""
    code = _TURNS[picked(len(_TURNS), draws[Draw.TURN])]
    if code is not None:
        cv2.rotate(image, code, image)
        cv2.rotate(labels, code, labels)


@dataclass(frozen=True)
class Crop:
    """The part of an image that training sees, at a random place.

    Args:
        size: height and width; pixels.
        rare_share: how many of the crops show a random pixel of a rare class, if the image has one.
        rare: labels of the rare classes.
    """

    size: Size
    rare_share: float = 0.0
    rare: Sequence[int] = ()

    def __call__(self, image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
        """Move the crop to the first rows and columns."""
        pixel = self.pixel(labels, draws)
        rows = self._range(0, labels, draws[Draw.SHIFT_Y], pixel)
        columns = self._range(1, labels, draws[Draw.SHIFT_X], pixel)
        for array in (image, labels):
            first(array, self.size)[...] = array[rows, columns]

    def _range(self, axis: int, labels: np.ndarray, draw: np.float32, pixel: Pixel | None) -> slice:
        length = self.size[axis]
        room = labels.shape[axis] - length
        start = picked(room + 1, draw) if pixel is None else min(max(pixel[axis] - picked(length, draw), 0), room)
        return slice(start, start + length)

    def pixel(self, labels: np.ndarray, draws: np.ndarray) -> Pixel | None:
        """Return the pixel of a rare class that the crop shows, or None if it may lie anywhere."""
        return rare_pixel(labels, self.rare, draws) if draws[Draw.RARE] < self.rare_share else None


def affine(scale: float, rotation: float, translation: float = 0.0, crop: Crop | None = None) -> Operation:
    """Zoom by 1 - scale to 1 + scale at a random place, rotate, move and crop, in one resampling.

    Args:
        rotation: largest angle in either direction; degrees.
        translation: largest move in any direction, as a share of height and width.
        crop: what of the zoomed, rotated image is kept, anywhere in it; None: a part of the image's size.
    """
    return partial(_affine, scale, rotation, translation, crop)


def _affine(
    scale: float,
    rotation: float,
    translation: float,
    crop: Crop | None,
    image: np.ndarray,
    labels: np.ndarray,
    draws: np.ndarray,
) -> None:
    height, width = labels.shape
    seen = crop.size if crop else (height, width)
    pixel = crop.pixel(labels, draws) if crop else None
    turn, moves = _zoomed_turn(scale, rotation, draws), draws[[Draw.TRANSLATION_X, Draw.TRANSLATION_Y]]
    middle = _middle((height, width), seen, turn, draws, pixel)
    middle += translation * (2.0 * moves - 1.0) * (width, height)
    _resample(image, labels, np.column_stack([turn, middle - turn @ _half(seen)]), seen)


def _resample(image: np.ndarray, labels: np.ndarray, transform: np.ndarray, seen: Size) -> None:
    """Fill the first rows and columns by a map from them to pixels (x, y, 1) of the image, float64 [2, 3]."""
    # OpenCV resamples four channels in less than half the time of three.
    four, moved = np.empty((*labels.shape, 4), np.uint8), np.empty((*seen, 4), np.uint8)
    cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, four)
    cv2.warpAffine(four, transform, seen[::-1], moved, _LINEAR, _OUTSIDE)
    cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB, first(image, seen))
    cv2.warpAffine(labels, transform, seen[::-1], first(labels, seen), _NEAREST, _OUTSIDE)


def _zoomed_turn(scale: float, rotation: float, draws: np.ndarray) -> np.ndarray:
    """Return the map from a distance (x, y) in what is seen to one in the image, float64 [2, 2]."""
    zoom = 1.0 / (1.0 + scale * signed(draws[Draw.SCALE]))
    angle = math.radians(rotation) * signed(draws[Draw.ROTATION])
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _middle(image: Size, seen: Size, turn: np.ndarray, draws: np.ndarray, pixel: Pixel | None) -> np.ndarray:
    """Return the place (x, y) in the image of the middle of what is seen.

    Unless the image is turned, what is seen is a part of the image, or shows all of it, and it shows the pixel.
    """
    half, zoom = _half(image), math.hypot(*turn[0])
    room = np.abs(half - zoom * _half(seen))
    drawn = np.array([signed(draws[Draw.SHIFT_X]), signed(draws[Draw.SHIFT_Y])])
    if pixel is None:
        return half + room * drawn
    return np.clip(pixel[::-1] - turn @ (drawn * _half(seen)), half - room, half + room)


def _half(size: Size) -> np.ndarray:
    """Return the place (x, y) of the middle of an image of a size."""
    return np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
