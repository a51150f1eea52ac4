"""Bilinear resizing: of images as preprocess does it, and of probabilities, in one piece or in bands of rows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from scipy import sparse

_BAND = 1 << 17  # numbers in a band, so that it stays in the processor's cache


def resized_image(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return an image uint8 [H, W, 3] at the size [height, width], with the pixels that preprocess gives it."""
    if image.shape[:2] == tuple(size):
        return image
    # Pillow resamples with fixed-point arithmetic, which gives the same pixels on every CPU.
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def resized(values: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return float32 [h, w, C] at the size [height, width], equal to `tf.image.resize`."""
    return np.concatenate(list(resized_bands(values, size)))


def resized_bands(values: np.ndarray, size: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield `resized(values, size)` in bands of rows from the top, float32 [rows, width, C]."""
    if values.shape[:2] == tuple(size):
        yield values
        return
    above, below, down = _neighbors(len(values), size[0])
    left, right, along = _neighbors(values.shape[1], size[1])
    wide, following = values.take(left, axis=1), values.take(right, axis=1)
    following -= wide
    following *= np.repeat(along, values.shape[2]).reshape(-1, values.shape[2])  # faster than along[:, None]
    wide += following
    step = max(1, _BAND // wide[0].size)
    for start in range(0, size[0], step):
        rows = slice(start, start + step)
        top, band = wide.take(above[rows], axis=0), wide.take(below[rows], axis=0)
        band -= top
        band *= down[rows, None, None]
        band += top
        yield band


def _neighbors(length: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two pixels between which each of `target` pixels lies, and the share of the second, all [target].

    Pixels have their centers at half numbers; float32 throughout, as in TensorFlow.
    """
    at = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * np.float32(length / target) - np.float32(0.5)
    low = np.floor(at)
    first = np.maximum(low, 0).astype(np.int64)
    return first, np.minimum(np.ceil(at).astype(np.int64), length - 1), at - low


def antialiased(values: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return float32 [h, w, C] at the size [height, width]; smaller pixels are means weighted by a triangle.

    Sums of sparse matrices have one order, while those of dense ones depend on the number of cores.
    """
    height, width = values.shape[:2]
    lower = _weights(height, size[0]) @ values.reshape(height, -1)
    columns = lower.reshape(size[0], width, -1).swapaxes(0, 1).reshape(width, -1)
    found = (_weights(width, size[1]) @ columns).reshape(size[1], size[0], -1)
    return np.ascontiguousarray(found.swapaxes(0, 1))


def _weights(length: int, target: int) -> "sparse.csr_array":
    """Return the weight of each of `length` pixels in each of `target` pixels, float32 [target, length]."""
    from scipy import sparse  # slow to import, and other scales than 1 are rare

    scale = max(1.0, length / target)
    centers = (np.arange(target) + 0.5) * (length / target) - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(length) - centers[:, None]) / scale)
    return sparse.csr_array((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))
