"""Random numbers as pure functions of (seed, epoch, example), without state and in any order."""

from enum import IntEnum, auto

import numpy as np


class Draw(IntEnum):
    """The columns of an image's random numbers: what each decides."""

    FLIP = 0
    SCALE = auto()
    ROTATION = auto()
    SHIFT_X = auto()  # place of a zoomed image, of a crop, or of a rare pixel in a crop
    SHIFT_Y = auto()
    BRIGHTNESS = auto()
    CONTRAST = auto()
    SATURATION = auto()
    HUE = auto()
    BLUR = auto()
    FLIP_VERTICAL = auto()
    TURN = auto()
    TRANSLATION_X = auto()
    TRANSLATION_Y = auto()
    RARE = auto()  # whether a crop is placed on a rare class
    RARE_CLASS = auto()
    RARE_PIXEL = auto()
    PASTE = auto()  # whether an image gets pixels of a rare class from another
    PASTE_CLASS = auto()
    PASTE_IMAGE = auto()
    PASTE_FLIP = auto()


DRAWS = len(Draw)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(state: np.ndarray) -> np.ndarray:
    """Return the SplitMix64 finaliser (Steele, Lea and Flood, OOPSLA 2014) of uint64 values."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _keys(seed: int | np.uint64, epoch: int, examples: np.ndarray) -> np.ndarray:
    key = np.zeros(1, np.uint64)
    for part in (seed, epoch):
        key = _mix(key + _GOLDEN * np.array([part], np.uint64) + _GOLDEN)
    return _mix(key + _GOLDEN * (np.asarray(examples, np.uint64) + np.uint64(1)))


def epoch_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    """Return a permutation of range(examples), int64 [examples], drawn for this epoch."""
    return np.argsort(_keys(seed, epoch, np.arange(examples)), kind="stable")


def uniform(seed: int, epoch: int, examples: np.ndarray, count: int) -> np.ndarray:
    """Return float32 [N, count] in [0, 1) for the examples int [N]; a row does not depend on the others."""
    # The complement of the seed makes these draws independent of the keys that order the epoch.
    keys = _keys(~np.uint64(seed), epoch, examples)[:, None]
    bits = _mix(keys + _GOLDEN * np.arange(1, count + 1, dtype=np.uint64))
    return ((bits >> np.uint64(40)).astype(np.float32)) * np.float32(2.0**-24)


def picked(count: int, draw: np.float32) -> int:
    """Return one of the numbers from 0 to count - 1 by a draw from [0, 1)."""
    return int(count * float(draw))


def signed(draw: np.float32) -> float:
    """Map [0, 1) to [-1, 1)."""
    return 2.0 * float(draw) - 1.0
