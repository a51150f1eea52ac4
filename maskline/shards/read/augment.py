"""Stateless augmentation: functions of an image, its labels and uniform random numbers that change both in place.

An operation takes an image uint8 [H, W, 3], labels uint8 [H, W] and draws float32 [DRAWS] in [0, 1). Pixels from
outside the image become black and void. The operations use OpenCV, which is many times faster than TensorFlow on a
batch and lets other threads run. It writes into arrays that exist, because it would wait for Python's interpreter lock
to make new ones.
"""

import math
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from maskline.contracts.classes import VOID
from maskline.params.augment import AugmentParams
from maskline.shards.read.draws import DRAWS

Operation = Callable[[np.ndarray, np.ndarray, np.ndarray], None]

_FLIP, _SCALE, _ROTATION, _SHIFT_X, _SHIFT_Y, _BRIGHTNESS, _CONTRAST, _SATURATION = range(DRAWS)
_GRAY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 luma
_IDENTITY = np.eye(3)
_LINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_NEAREST = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP


def augmentation(params: AugmentParams) -> Operation:
    """Return an operation that applies all augmentations of the params in turn. Like them, it can be pickled."""
    operations = [
        *([flip] if params.flip else []),
        *([affine(params.scale, params.rotation)] if params.scale or params.rotation else []),
        *(
            [color_jitter(params.brightness, params.contrast, params.saturation)]
            if params.brightness or params.contrast or params.saturation
            else []
        ),
    ]
    return partial(_in_turn, operations)


def _in_turn(operations: list[Operation], image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    for operation in operations:
        operation(image, labels, draws)


def flip(image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    """Mirror image and labels left to right with probability 0.5."""
    if draws[_FLIP] < 0.5:
        cv2.flip(image, 1, image)
        cv2.flip(labels, 1, labels)


def affine(scale: float, rotation: float) -> Operation:
    """Zoom by 1 - scale to 1 + scale at a random place, and rotate by up to `rotation` degrees, in one resampling."""
    return partial(_affine, scale, rotation)


def _affine(scale: float, rotation: float, image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    height, width = size = labels.shape
    transform = _transform(height, width, scale, rotation, draws)
    # OpenCV resamples four channels in less than half the time of three.
    four, moved = np.empty((*size, 4), np.uint8), np.empty((*size, 4), np.uint8)
    cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, four)
    cv2.warpAffine(four, transform, (width, height), moved, _LINEAR, cv2.BORDER_CONSTANT)
    cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB, image)
    cv2.warpAffine(labels, transform, (width, height), labels, _NEAREST, cv2.BORDER_CONSTANT, float(VOID))


def _transform(height: int, width: int, scale: float, rotation: float, draws: np.ndarray) -> np.ndarray:
    """Return the map from output to input pixels (x, y, 1), float64 [2, 3]."""
    zoom = 1.0 / (1.0 + scale * _signed(draws[_SCALE]))
    angle = math.radians(rotation) * _signed(draws[_ROTATION])
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    room = abs(1.0 - zoom)  # shifts within this keep the whole image, or the whole output, in view
    shift_x = middle_x * (1.0 + room * _signed(draws[_SHIFT_X])) - cos * middle_x + sin * middle_y
    shift_y = middle_y * (1.0 + room * _signed(draws[_SHIFT_Y])) - sin * middle_x - cos * middle_y
    return np.array([[cos, -sin, shift_x], [sin, cos, shift_y]])


def color_jitter(brightness: float, contrast: float, saturation: float) -> Operation:
    """Change brightness, then contrast, then saturation, and round once.

    Args:
        brightness: largest share of the full scale that is added or subtracted.
        contrast: each pixel's distance from the image's mean is multiplied by 1 - contrast to 1 + contrast.
        saturation: each pixel's distance from its gray is multiplied by 1 - saturation to 1 + saturation.
    """
    return partial(_color_jitter, brightness, contrast, saturation)


def _color_jitter(
    brightness: float, contrast: float, saturation: float, image: np.ndarray, labels: np.ndarray, draws: np.ndarray
) -> None:
    added = 255.0 * brightness * _signed(draws[_BRIGHTNESS])
    factor = 1.0 + contrast * _signed(draws[_CONTRAST])
    mean = sum(cv2.mean(image)[:3]) / 3 + added
    saturated = 1.0 + saturation * _signed(draws[_SATURATION])
    # Mixing the channels does not change gray, nor a value that is added to all channels.
    matrix = np.empty((3, 4))
    matrix[:, :3] = factor * (saturated * _IDENTITY + (1.0 - saturated) * _GRAY)
    matrix[:, 3] = factor * added + (1.0 - factor) * mean
    cv2.transform(image, matrix, image)


def _signed(draw: np.float32) -> float:
    """Map [0, 1) to [-1, 1)."""
    return 2.0 * float(draw) - 1.0
