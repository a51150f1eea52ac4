"""Contestants that take turns, so that a change in the machine's speed affects all of them."""

import statistics
from collections.abc import Sequence


def rotated(names: Sequence[str], number: int) -> list[str]:
    """Return the names beginning with another one in each round."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(values, base, strict=True))


def spread(values: Sequence[float], form: str) -> str:
    """Return the median and the range as text."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
