"""Prediction of images in overlapping windows, whose weights decrease towards their edges."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

Window = int | tuple[int, int]  # the side of square windows, or height and width; pixels, 2 or more
Predict = Callable[[np.ndarray], np.ndarray]  # images [B, H, W, 3] to float32 [B, H, W, C]
_ROWS = 32  # of a band
ReadRows = Callable[[int, int], np.ndarray]  # first row and the one after the last to images [B, rows, W, 3]


class _Place(NamedTuple):
    """A window along one side of an image.

    Attributes:
        start: its first pixel.
        shares: float32 [length], its weight in each of its pixels; over all windows, the weights of a pixel sum to 1.
    """

    start: int
    shares: np.ndarray


def in_windows(predict: Predict, window: Window) -> Predict:
    """Return a function like `predict` that calls `predict` on one window of the images at a time.

    For images no larger than the window, it returns exactly what `predict` does.

    Args:
        predict: function of images [B, H, W, 3] that returns float32 [B, H, W, C].
        window: the size of the windows.
    """

    def blended(images: np.ndarray) -> np.ndarray:
        bands = predicted_bands(predict, lambda start, stop: images[:, start:stop], images.shape[1:3], window)
        return np.concatenate(list(bands), axis=1)

    return blended


def predicted_bands(predict: Predict, read: ReadRows, size: Sequence[int], window: Window) -> Iterator[np.ndarray]:
    """Yield the prediction of images in bands of rows, from the top, each as soon as no further window covers it.

    Memory holds the rows of one window over the images' width.

    Args:
        predict: function of images [B, h, w, 3] that returns float32 [B, h, w, C].
        read: returns rows of the images; consecutive calls overlap.
        size: height and width of the images.
        window: the size of the windows.

    Yields:
        float32 [B, rows, W, C].
    """
    height, width = size
    window_height, window_width = (window, window) if isinstance(window, int) else window
    rows, columns = _places(height, window_height), _places(width, window_width)
    ends = [place.start for place in rows[1:]] + [height]
    sums: np.ndarray | None = None  # of the rows under the window
    for place, end in zip(rows, ends, strict=True):
        images = read(place.start, place.start + len(place.shares))
        sums = _with_a_row_of_windows(predict, images, place.shares, columns, sums)
        finished = end - place.start
        # Copies of a few rows, because whoever takes a band still holds it while the next windows are predicted.
        for start in range(0, finished, _ROWS):
            yield sums[:, start : min(start + _ROWS, finished)].copy()
        begun = sums.shape[1] - finished
        sums[:, :begun] = sums[:, finished:]
        sums[:, begun:] = 0


def _with_a_row_of_windows(
    predict: Predict, images: np.ndarray, shares: np.ndarray, columns: Sequence[_Place], sums: np.ndarray | None
) -> np.ndarray:
    """Add the weighted predictions of one row of windows to sums [B, rows, W, C], which are made if they are None."""
    for column in columns:
        across = slice(column.start, column.start + len(column.shares))
        part = predict(images[:, :, across])
        if sums is None:
            sums = np.zeros((*images.shape[:3], part.shape[-1]), np.float32)
        sums[:, :, across] += part * (shares[:, None] * column.shares)[..., None]
    assert sums is not None  # an image has a pixel
    return sums


def _places(length: int, window: int) -> list[_Place]:
    """Return the windows that cover a side of `length` pixels, half a window apart; the last is moved back into it."""
    size, stride = min(length, window), window // 2
    count = 1 - (size - length) // stride
    starts = np.minimum(stride * np.arange(count), length - size)
    inside = np.arange(size)
    ramp = np.minimum(inside + 1, size - inside).astype(np.float32)
    total = np.zeros(length, np.float32)
    for start in starts:
        total[start : start + size] += ramp
    return [_Place(int(start), ramp / total[start : start + size]) for start in starts]
