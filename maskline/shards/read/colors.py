"""Augmentations of colors: operations on an image uint8 [H, W, 3] by draws float32 [DRAWS] that leave its labels."""

import math
from functools import partial

import cv2
import numpy as np

from maskline.shards.read.draws import Draw, signed
from maskline.shards.read.operation import Operation

_GRAY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 luma
_IDENTITY = np.eye(3)
_QUARTER = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)  # turns hues by 90 degrees, and gray to black


def color_jitter(brightness: float, contrast: float, saturation: float, hue: float = 0.0) -> Operation:
    """Change brightness, then contrast, then saturation, then hue, and round once.

    Args:
        brightness: largest share of the full scale that is added or subtracted.
        contrast: each pixel's distance from the image's mean is multiplied by 1 - contrast to 1 + contrast.
        saturation: each pixel's distance from its gray is multiplied by 1 - saturation to 1 + saturation.
        hue: largest angle by which colors turn about the gray axis of the RGB cube in either direction; degrees. By 120
            degrees, red becomes green, green becomes blue, and blue becomes red.
    """
    return partial(_color_jitter, brightness, contrast, saturation, hue)


def _color_jitter(
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    image: np.ndarray,
    labels: np.ndarray,
    draws: np.ndarray,
) -> None:
    added = 255.0 * brightness * signed(draws[Draw.BRIGHTNESS])
    factor = 1.0 + contrast * signed(draws[Draw.CONTRAST])
    mean = sum(cv2.mean(image)[:3]) / 3 + added
    saturated = 1.0 + saturation * signed(draws[Draw.SATURATION])
    # Mixing the channels does not change gray, nor a value that is added to all channels.
    matrix = np.empty((3, 4))
    matrix[:, :3] = factor * (saturated * _IDENTITY + (1.0 - saturated) * _GRAY)
    if hue:
        matrix[:, :3] = _turned(math.radians(hue) * signed(draws[Draw.HUE])) @ matrix[:, :3]
    matrix[:, 3] = factor * added + (1.0 - factor) * mean
    cv2.transform(image, matrix, image)


def _turned(angle: float) -> np.ndarray:
    """Return the turn of RGB colors about the gray axis by an angle in radians, float64 [3, 3]."""
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * _IDENTITY + (1.0 - cos) / 3 + sin * _QUARTER


def blur(sigma: float) -> Operation:
    """Blur by a Gaussian with a standard deviation of up to `sigma` pixels."""
    return partial(_blur, sigma)


def _blur(sigma: float, image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    drawn = sigma * float(draws[Draw.BLUR])
    if drawn:
        cv2.GaussianBlur(image, (0, 0), drawn, image)
