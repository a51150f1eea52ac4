"""An image that is read by rows, so that a large one needs little memory."""

from typing import Protocol

import numpy as np


class ImageRows(Protocol):
    """An image whose rows are read when they are needed."""

    @property
    def height(self) -> int:
        """Number of rows."""

    @property
    def width(self) -> int:
        """Number of columns."""

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return the rows from `start` up to `stop`, uint8 [stop - start, width, 3]."""


class ArrayRows:
    """The rows of an image in memory.

    Args:
        pixels: uint8 [H, W, 3].
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return the rows from `start` up to `stop`, uint8 [stop - start, width, 3], without a copy."""
        return self._pixels[start:stop]
