"""The sizes that training images may have: multiples of the networks' stride, in the shape of the median image."""

from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Fingerprint

Size = tuple[int, int]

STRIDE = 32  # of the deepest features of all encoders with ImageNet weights
_LEAST = 64  # pixels of the short side
_MOST = 8192  # pixels of a side
_OFF = 0.1  # of an aspect that counts as kept
_VARIED = 3.0  # times the aspect of another image


def sizes(median: Size) -> list[Size]:
    """Return heights and widths from small to large, no larger than the median image rounded to the stride.

    Sizes whose aspect is more than 10 % off are left out, unless that leaves none; then there are those closest to it.
    """
    largest = min(_multiple(min(median)), _MOST)
    short_sides = range(min(_LEAST, largest), largest + 1, STRIDE)
    found = [_of_short_side(side, median) for side in short_sides]
    off = [max(aspect(size) / aspect(median), aspect(median) / aspect(size)) - 1 for size in found]
    limit = max(_OFF, min(off) + 1e-9)
    return [size for size, amount in zip(found, off, strict=True) if amount <= limit]


def aspect(size: Size) -> float:
    """Return the width over the height."""
    return size[1] / size[0]


def size_choices(fingerprint: Fingerprint, size: Size, why: str) -> list[Choice]:
    """Choose the size, and how images of other shapes get it.

    Args:
        why: the reason for the size, without the shape's.
    """
    height, width = fingerprint.median
    shape = f"the median image is {height}x{width}"
    return [
        Choice("preprocess.height", size[0], f"{shape}; {why}"),
        Choice(
            "preprocess.width",
            size[1],
            f"{shape}, so that {size[0]}x{size[1]} keeps its aspect within {_off(fingerprint, size)}",
        ),
        _fit(fingerprint),
    ]


def _fit(fingerprint: Fingerprint) -> Choice:
    aspects = [aspect(size) for size in (fingerprint.smallest, fingerprint.median, fingerprint.largest)]
    ratio = max(aspects) / min(aspects)
    if ratio > _VARIED:
        return Choice(
            "preprocess.fit", "pad", f"aspects differ by a factor of {ratio:.2g}; stretching would distort much"
        )
    return Choice("preprocess.fit", "stretch", f"aspects differ by a factor of {ratio:.2g}; every pixel is used")


def _off(fingerprint: Fingerprint, size: Size) -> str:
    return f"{abs(aspect(size) / aspect(fingerprint.median) - 1):.0%}"


def _of_short_side(side: int, median: Size) -> Size:
    height, width = median
    if height <= width:
        return side, min(_MOST, _multiple(side * width / height))
    return min(_MOST, _multiple(side * height / width)), side


def _multiple(pixels: float) -> int:
    return max(STRIDE, round(pixels / STRIDE) * STRIDE)
