"""How much of an image each class covers, and how sure the model is of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ClassArea(NamedTuple):
    """A class in the prediction of an image.

    Attributes:
        name: of the class.
        pixels: labeled as the class.
        share: of the image's pixels, 0 to 1.
        mean_confidence: mean probability of the class at its pixels; None: it has none.
    """

    name: str
    pixels: int
    share: float
    mean_confidence: float | None


class Sums:
    """The pixels of each class, int64 [C], and the sum of their confidences, float64 [C]."""

    def __init__(self, classes: int) -> None:
        self.pixels = np.zeros(classes, np.int64)
        self.confidence = np.zeros(classes)

    def add(self, labels: np.ndarray, confidence: np.ndarray) -> None:
        """Add labels, uint8 [...], and their probabilities, float32 [...]."""
        flat = labels.ravel()
        self.pixels += np.bincount(flat, minlength=len(self.pixels))
        self.confidence += np.bincount(flat, confidence.ravel(), minlength=len(self.pixels))


def areas(names: Sequence[str], pixels: Sequence[int], confidence: Sequence[float]) -> tuple[ClassArea, ...]:
    """Return the area of each class, from its pixels and the sum of their confidences."""
    total = sum(pixels)
    return tuple(
        ClassArea(name, int(count), int(count) / total, float(summed) / int(count) if count else None)
        for name, count, summed in zip(names, pixels, confidence, strict=True)
    )
