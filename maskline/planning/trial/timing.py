"""Seconds, and what is typical of several."""

import time
from collections.abc import Sequence
from statistics import fmean


class Stopwatch:
    """A stopwatch that runs from its making."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap, or since the start."""
        now = time.perf_counter()
        self._begun, begun = now, self._begun
        return now - begun


def typical(values: Sequence[float]) -> float:
    """Return the mean of the middle half: what disturbs a few does not count, and batches that come in pairs do."""
    middle = sorted(values)[len(values) // 4 : len(values) - len(values) // 4]
    return fmean(middle)
