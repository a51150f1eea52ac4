"""Memory for batches that is used again: the first touch of fresh pages costs more than the copy into them."""

import math
import weakref
from collections import defaultdict

import numpy as np

_ALIGNMENT = 64  # bytes; what TensorFlow asks of memory that it takes over without a copy
_KEPT = 8  # free blocks of each size


class Memory:
    """Gives out uint8 arrays, and takes their memory back once nothing refers to them or to a part of them."""

    def __init__(self) -> None:
        self._free: dict[int, list[bytearray]] = defaultdict(list)

    def empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return an aligned uint8 array whose content is what was there before."""
        size = math.prod(shape)
        free = self._free[size]
        try:
            block = free.pop()
        except IndexError:
            block = bytearray(size + _ALIGNMENT)
        whole = np.frombuffer(block, np.uint8)  # every view of it, and of those, keeps it alive
        weakref.finalize(whole, _take_back, free, block).atexit = False
        start = -whole.ctypes.data % _ALIGNMENT
        return whole[start : start + size].reshape(shape)


def _take_back(free: list[bytearray], block: bytearray) -> None:
    if len(free) < _KEPT:
        free.append(block)
