"""Reusable buffers for batches, because the first write to new memory pages costs more than the copy itself."""

import math
import weakref
from collections import defaultdict

import numpy as np

_ALIGNMENT = 64  # bytes; TensorFlow uses memory with this alignment without a copy
_KEPT = 24  # free buffers of each size


class BufferPool:
    """A pool of uint8 arrays that reuses their memory once nothing refers to an array or a part of it."""

    def __init__(self) -> None:
        self._free: dict[int, list[bytearray]] = defaultdict(list)

    def empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return an aligned uint8 array with arbitrary content."""
        size = math.prod(shape)
        free = self._free[size]
        try:
            buffer = free.pop()
        except IndexError:
            buffer = bytearray(size + _ALIGNMENT)
        whole = np.frombuffer(buffer, np.uint8)  # every view of it, direct or indirect, keeps it alive
        weakref.finalize(whole, _release, free, buffer).atexit = False
        start = -whole.ctypes.data % _ALIGNMENT
        return whole[start : start + size].reshape(shape)


def _release(free: list[bytearray], buffer: bytearray) -> None:
    if len(free) < _KEPT:
        free.append(buffer)
