"""An augmentation: a function of an image, its labels and uniform random numbers that changes both in place.

It takes an image uint8 [H, W, 3], labels uint8 [H, W] and draws float32 [DRAWS] in [0, 1). One that makes them smaller
leaves the result in their first rows and columns. The operations use OpenCV, which is many times faster than TensorFlow
on a batch and lets other threads run. It writes into arrays that exist, because it would wait for Python's interpreter
lock to make new ones.
"""

from collections.abc import Callable

import numpy as np

from maskline.contracts.fit import Size

Operation = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


def first(array: np.ndarray, size: Size) -> np.ndarray:
    """Return the first rows and columns of an array, a view of it."""
    return array[: size[0], : size[1]]
