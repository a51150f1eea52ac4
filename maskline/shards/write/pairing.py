"""Pairs of places to compare, a few at a time, however many there are."""

from collections.abc import Iterator

import numpy as np

_CHUNK = 1 << 14  # pairs at once, whose arrays a core's cache holds


def pairs(starts: np.ndarray, counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each place next to each of those that it is paired with, in order.

    Args:
        starts: the first place that each of N places is paired with, int [N].
        counts: with how many from there on, int [N].

    Yields:
        Places 0 to N - 1, ascending, and the ones paired with them, int64 [pairs] each.
    """
    places = np.flatnonzero(counts)
    starts, counts = starts[places].astype(np.int64), counts[places].astype(np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    for first in range(0, total, _CHUNK):
        last = min(first + _CHUNK, total)
        some = slice(int(np.searchsorted(ends, first, "right")), int(np.searchsorted(ends, last, "left")) + 1)
        begins = ends[some] - counts[some]
        number = np.minimum(ends[some], last) - np.maximum(begins, first)
        yield np.repeat(places[some], number), np.arange(first, last) + np.repeat(starts[some] - begins, number)
