"""Words of the sentences that plan prints."""

from collections import Counter
from collections.abc import Iterable, Sequence


def plural(count: int, word: str) -> str:
    """Return '1 image' or '1,200 images'."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def joined(words: Iterable[str], last: str = "and") -> str:
    """Return 'a', 'a and b' or 'a, b and c'."""
    *others, end = list(words)
    return f"{', '.join(others)} {last} {end}" if others else end


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first names, and how many there are besides."""
    if len(names) <= most:
        return joined(names)
    return joined([*names[:most], f"{len(names) - most:,} more"])


def counted(counts: Counter[str]) -> str:
    """Return '8-bit gray (30) and RGB (2)', the most frequent first."""
    return joined(f"{word} ({count:,})" for word, count in counts.most_common())


def short(count: int) -> str:
    """Return a count in three digits: '9,800', '54 k', '513 k', '5.4 M', '2.1 G'."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= (10_000 if unit == "k" else 0.9995 * size):
            return f"{count / size:.1f} {unit}" if round(count / size, 1) < 10 else f"{count / size:.0f} {unit}"
    return f"{count:,}"


def percent(part: float, whole: float) -> str:
    """Return a share, as precise as it needs to be: '43 %', '1.2 %', '0.03 %', 'less than 0.01 %'."""
    share = 100 * part / (whole or 1)
    if 0 < share < 0.01:
        return "less than 0.01 %"
    return f"{share:.{0 if share >= 10 or share == 0 else 1 if share >= 1 else 2}f} %"
