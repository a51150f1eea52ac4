"""The box of a region in the pixels of the original image, for each way in which images are fitted."""

import math
from typing import NamedTuple

from maskline.contracts.fit import Size, middle, scaled_size
from maskline.contracts.model_info import Preprocessing
from maskline.evaluation.suspects.collection import Found


class Box(NamedTuple):
    """A box in an image, in pixels; x and y from the image's top left corner."""

    x: int
    y: int
    width: int
    height: int


def original_box(region: Found, original: Size, made: Preprocessing | None) -> Box:
    """Return the smallest box of whole original pixels around a region.

    Args:
        original: height and width of the original image.
        made: how the image that holds the region was made; None: it is the original. Padding is not part of it.
    """
    if made is None:
        return Box(region.x, region.y, region.width, region.height)
    scaled = scaled_size(original, made.size, made.fit)
    top, left = (part.start for part in middle(scaled, made.size)) if made.fit == "crop" else (0, 0)
    y, height = _stretched(region.y + top, region.height, scaled[0], original[0])
    x, width = _stretched(region.x + left, region.width, scaled[1], original[1])
    return Box(x, y, width, height)


def _stretched(start: int, length: int, scaled: int, original: int) -> tuple[int, int]:
    """Return start and length along a side of `scaled` pixels, in those of one of `original` pixels."""
    first = start * original // scaled
    return first, math.ceil((start + length) * original / scaled) - first
