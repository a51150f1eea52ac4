"""How an image fits into the size of the training images: sizes and places, without pixels.

Sizes are (height, width) in pixels.
"""

from typing import Literal

Fit = Literal["stretch", "pad", "crop"]
Size = tuple[int, int]
Part = tuple[slice, slice]  # rows and columns

_REDUCTIONS = (8, 4, 2)
_LARGE = 4_000_000  # pixels; decoding a smaller image takes little time, and what one pixel shows is detail
_MOST = 64  # training images that a whole image may cover where their middle is cut out


def scaled_size(image: Size, size: Size, fit: Fit) -> Size:
    """Return the size to which preprocess and prediction resize a whole image.

    stretch: `size` itself. pad: the largest of the image's shape that fits into `size`. crop: the smallest that covers
    it. With pad and crop one side is that of `size`; the other is rounded to the nearest number, halves up, and is 1 or
    more. An image of the same shape as `size` gets `size` itself.
    """
    (height, width), (wanted_height, wanted_width) = image, size
    if fit == "stretch":
        return size
    is_tall = height * wanted_width > width * wanted_height
    if is_tall == (fit == "pad"):
        return wanted_height, _rounded(width * wanted_height, height)
    return _rounded(height * wanted_width, width), wanted_width


def _rounded(dividend: int, divisor: int) -> int:
    return max(1, (2 * dividend + divisor) // (2 * divisor))


def reduction(image: Size, scaled: Size) -> int:
    """Return the factor, 1, 2, 4 or 8, by which a JPEG is reduced while it is decoded, before it is resized.

    An image of 4 megapixels or more is reduced by the largest factor that divides its sides and leaves each at least
    1.4 times as long as in `scaled`, so that the resizing still averages over about the pixels that it would otherwise.
    """
    if image[0] * image[1] < _LARGE:
        return 1
    sides = list(zip(image, scaled, strict=True))
    fine = (
        factor
        for factor in _REDUCTIONS
        if all(side % factor == 0 and 5 * side >= 7 * factor * wanted for side, wanted in sides)
    )
    return next(fine, 1)


def middle(outer: Size, inner: Size) -> Part:
    """Return the middle of `outer` that has the size `inner`; of an odd remainder, the first side has one pixel less.

    pad: where in a training image the resized image lies. crop: what of the resized image the training image shows.
    """
    top, left = (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
    return slice(top, top + inner[0]), slice(left, left + inner[1])


def is_too_long(image: Size, size: Size, fit: Fit) -> bool:
    """Return whether an image is so long that it would take too much memory at the scale at which crop resizes it."""
    height, width = scaled_size(image, size, fit)
    return height * width > _MOST * size[0] * size[1]
