"""The values or colors of all sampled masks together, and whether they look smoothed or like numbered objects."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from maskline.planning.inspection.measuring import Measured

_MANY = 16  # values that smoothing or numbering makes, at least
_RARE = 0.01  # share of a value that smoothing makes
_SOFT = 0.5  # of the pixels of rare values are in runs of one or two pixels, if smoothing made them
_APART = 12  # levels between values that smoothing does not join
_NUMBERED = 0.9  # of the images have the values 1, 2, 3 ... without a gap, if they number objects


class Survey(NamedTuple):
    """The values of masks.

    Attributes:
        masks: index if all masks have one channel.
        pixels: of each value, or of each color 0xrrggbb.
        images: that show it.
        kinds: number of masks by their kind.
        palette: color of each value, if the masks have palettes that agree.
        lossy: number of masks that are JPEG files.
        main: the values without those that smoothing has made, if the masks look smoothed; else None.
        is_numbered: whether values number objects instead of classes.
    """

    masks: Literal["index", "color"]
    pixels: Counter[int]
    images: Counter[int]
    kinds: Counter[str]
    palette: dict[int, int]
    lossy: int
    main: list[int] | None
    is_numbered: bool

    @property
    def is_gray(self) -> bool:
        """Whether color masks have gray levels alone."""
        return self.masks == "color" and all(color % 0x010101 == 0 for color in self.pixels)

    def shown(self, value: int) -> str:
        """Return a value as params hold it: '3' or '#804000'."""
        return str(value) if self.masks == "index" else f"#{value:06x}"


def survey(measured: Sequence[Measured]) -> Survey:
    """Add up the values of masks; they are colors if a mask has several channels."""
    is_index = all(each.mask.values is not None for each in measured)
    pixels: Counter[int] = Counter()
    short: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for each in measured:
        values = (each.mask.values if is_index else each.mask.colors) or {}
        pixels.update(values)
        short.update(each.mask.short if is_index else each.mask.short_colors)
        images.update(values.keys())
    of_images = [set(each.mask.values or ()) for each in measured] if is_index else []
    is_numbered = _is_numbered(of_images)
    return Survey(
        "index" if is_index else "color",
        pixels,
        images,
        Counter(each.mask.kind for each in measured),
        _palette(measured) if is_index else {},
        sum(each.mask.is_lossy for each in measured),
        None if is_numbered else _main(pixels, short, is_index),
        is_numbered,
    )


def _palette(measured: Sequence[Measured]) -> dict[int, int]:
    palette: dict[int, int] = {}
    for each in measured:
        for value, color in each.mask.palette.items():
            if palette.setdefault(value, color) != color:
                return {}
    return palette


def _main(pixels: Counter[int], short: Counter[int], is_index: bool) -> list[int] | None:
    """Return the values that smoothing has not made, or None if nothing is smoothed."""
    total = pixels.total()
    rare = [value for value, count in pixels.items() if count < _RARE * total]
    if len(pixels) < _MANY or 2 * len(rare) < len(pixels):
        return None
    if sum(short[value] for value in rare) < _SOFT * sum(pixels[value] for value in rare):
        return None
    main: list[int] = []
    for value, count in pixels.most_common():
        if count >= _RARE * total and all(_distance(value, other, is_index) > _APART for other in main):
            main.append(value)
    return sorted(main)


def _distance(first: int, second: int, is_index: bool) -> int:
    """Return the largest difference of a channel."""
    if is_index:
        return abs(first - second)
    return max(abs((first >> shift & 255) - (second >> shift & 255)) for shift in (0, 8, 16))


def _is_numbered(of_images: Sequence[set[int]]) -> bool:
    counts = [len(values - {0}) for values in of_images]
    if len(set().union(*of_images)) < _MANY or len(set(counts)) < 3:
        return False
    gapless = sum(values - {0} == set(range(1, count + 1)) for values, count in zip(of_images, counts, strict=True))
    return gapless >= _NUMBERED * len(of_images)
