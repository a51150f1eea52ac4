"""What the sampled images and masks hold: sizes, kinds, mask values, difference hashes, and the time to decode them."""

import io
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from maskline.datasets.formats.annotations import Drawn
from maskline.datasets.formats.pairs import JPEG
from maskline.engine.cores import cores
from maskline.errors import InputError
from maskline.files.artifacts import stored_png
from maskline.files.further_images import without_warnings
from maskline.messages import one_line
from maskline.planning.inspection.examples import Example
from maskline.shards.decode import decode_image, image_size
from maskline.shards.fitting import fitted_image, fitted_labels
from maskline.shards.write.shard_statistics import difference_hash

MOST = 300  # images of a sample
_FEWEST = 20
_MOST_PIXELS = 600_000_000  # of a sample, which a core decodes in some ten seconds
_PROBED = 16  # images whose size tells how many the sample can have
_SIZE = (256, 256)  # at which resizing is timed
_SHORT = 2  # pixels of a run that may be the soft edge of a smoothed mask
DARK = " in dark tones"  # of a kind
_PATIENCE = 2  # seconds before the bar shows

_Result = TypeVar("_Result")


class MaskValues(NamedTuple):
    """The values of a mask.

    Attributes:
        kind: of its pixels, such as '8-bit gray', 'palette' or 'RGB'; 'drawn' from annotations.
        values: pixels of each value; None if the mask has several channels.
        short: pixels of each value in horizontal runs of one or two pixels.
        colors: pixels of each color, 0xrrggbb; empty if the mask is drawn.
        short_colors: as `short`, of colors.
        palette: color of each value in a palette.
    """

    kind: str
    values: dict[int, int] | None
    short: dict[int, int]
    colors: dict[int, int]
    short_colors: dict[int, int]
    palette: dict[int, int]


class Measured(NamedTuple):
    """What an example holds.

    Attributes:
        name: as download stores it.
        size: height and width, pixels.
        kind: of the image, such as '8-bit RGB'.
        is_turned: whether EXIF turns it.
        hash: the image's difference hash.
        mask: its values.
        stored: bytes of both, as download stores them.
        reading: seconds of a core, to read or draw both.
        decoding: seconds of a core, to decode and resize both.
        overlap: pixels that annotations of two classes claim.
    """

    name: str
    size: tuple[int, int]
    kind: str
    is_turned: bool
    hash: bytes
    mask: MaskValues
    stored: int
    reading: float
    decoding: float
    overlap: int = 0


class Problem(NamedTuple):
    """An example that cannot be used, and the sentence that says why."""

    name: str
    sentence: str


def sample(examples: Sequence[Example], most: int = MOST) -> list[Example]:
    """Return at most so many examples, spread evenly; fewer if they are so large that decoding takes long."""
    pixels = [size for example in spread(examples, _PROBED if most == MOST else 1) if (size := _pixels(example))]
    affordable = max(_FEWEST, round(_MOST_PIXELS / float(np.mean(pixels)))) if pixels else most
    return spread(examples, min(most, affordable))


def spread(items: Sequence[_Result], most: int) -> list[_Result]:
    """Return at most so many items, at equal distances."""
    if len(items) <= most:
        return list(items)
    return [items[i * (len(items) - 1) // (most - 1)] for i in range(most)] if most > 1 else [items[0]]


def _pixels(example: Example) -> int:
    try:
        with Image.open(io.BytesIO(example.image())) as image:
            return math.prod(image.size)
    except Exception:  # measuring the example says what is wrong with it
        return 0


def measure(examples: Sequence[Example]) -> list[Measured | Problem]:
    """Return what each example holds, in order; a bar shows where it takes long."""
    with without_warnings():  # about large images
        return list(in_threads(_measured, examples, "looking at the images"))


def in_threads(work: Callable[[Example], _Result], examples: Sequence[Example], description: str) -> Iterator[_Result]:
    """Yield the results of a function that mostly decodes, which threads do at the same time."""
    with (
        ThreadPoolExecutor(cores()) as threads,
        tqdm(
            total=len(examples), desc=description, unit=" images", disable=None, delay=_PATIENCE, file=sys.stderr
        ) as bar,
    ):
        for result in threads.map(work, examples):
            bar.update(1)
            yield result


def hash_of(example: Example) -> bytes | None:
    """Return an image's difference hash, or None if it cannot be decoded."""
    try:
        return difference_hash(decode_image(example.image(), example.name, _SIZE).image)
    except (InputError, OSError):
        return None


def _measured(example: Example) -> Measured | Problem:
    try:
        return _measure(example)
    except (InputError, OSError) as error:
        return Problem(example.name, one_line(error))


def _measure(example: Example) -> Measured:
    start = time.thread_time()
    data, mask = example.image(), example.mask()
    stored = len(data) + len(stored_png(mask.mask) if isinstance(mask, Drawn) else mask)
    reading = time.thread_time() - start
    start = time.thread_time()
    size = image_size(data, example.name)
    image, conversions = decode_image(data, example.name, _SIZE)
    pixels = mask.mask if isinstance(mask, Drawn) else _decoded(mask, example.name)
    height, width = (pixels.height, pixels.width) if isinstance(pixels, Image.Image) else pixels.shape
    if (height, width) != size:
        raise InputError(
            f"image and mask {example.name} differ in size: {size[0]}x{size[1]} and {height}x{width} "
            "(height x width, EXIF rotation applied); export the mask again at the image's size."
        )
    fitted_image(image, _SIZE, "stretch")
    fitted_labels(np.zeros((height, width), np.uint8), _SIZE, "stretch")
    decoding = time.thread_time() - start
    values = _drawn(pixels) if isinstance(pixels, np.ndarray) else _stored(pixels)
    if not isinstance(mask, Drawn) and mask.startswith(JPEG):
        values = values._replace(kind=f"JPEG {values.kind}")
    return Measured(
        example.name,
        (height, width),
        _kind(conversions),
        "exif_rotated" in conversions,
        difference_hash(image),
        values,
        stored,
        reading,
        decoding,
        mask.overlap if isinstance(mask, Drawn) else 0,
    )


def _kind(conversions: Sequence[str]) -> str:
    """Return what an image is, such as '8-bit RGB' or '16-bit gray with alpha'."""
    colors = next((new for old, new in (("palette", "palette"), ("greyscale", "gray")) if old in conversions), "RGB")
    bits = "16-bit" if "sixteen_bit" in conversions else "8-bit"
    dark = DARK if "dark_sixteen_bit" in conversions else ""
    return f"{bits} {colors}{' with alpha' if 'alpha' in conversions else ''}{dark}"


# Masks.


def _decoded(data: bytes, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception as error:  # Pillow raises whatever its parsers meet
        raise InputError(f"mask {name} cannot be read ({one_line(error)}); replace it.") from None
    return image


def _drawn(labels: np.ndarray) -> MaskValues:
    values, short = _counts(labels)
    return MaskValues("drawn", values, short, {}, {}, {})


_KINDS = {
    "1": "1-bit",
    "L": "8-bit gray",
    "P": "palette",
    "RGB": "RGB",
    "RGBA": "RGB with alpha",
    "LA": "gray with alpha",
}


def _stored(image: Image.Image) -> MaskValues:
    kind = "16-bit gray" if image.mode.startswith("I") else _KINDS.get(image.mode, image.mode)
    is_single = image.mode in ("1", "L", "P") or image.mode.startswith("I")
    values, short = _counts(np.asarray(image)) if is_single else (None, {})
    if image.mode.startswith("I"):
        return MaskValues(kind, values, short, {}, {}, {})
    if values is not None and image.mode != "P":
        scale = 0xFFFFFF if image.mode == "1" else 0x010101
        colors, short_colors = ({value * scale: n for value, n in part.items()} for part in (values, short))
        return MaskValues(kind, values, short, colors, short_colors, {})
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.uint32), -1, 0)
    colors, short_colors = _counts(red << 16 | green << 8 | blue)
    palette = _palette(image, values) if values is not None else {}
    return MaskValues(kind, values, short, colors, short_colors, palette)


def _palette(image: Image.Image, values: dict[int, int]) -> dict[int, int]:
    """Return the color of each value of a palette image."""
    flat = image.getpalette("RGB") or []
    return {v: flat[3 * v] << 16 | flat[3 * v + 1] << 8 | flat[3 * v + 2] for v in values if 3 * v + 2 < len(flat)}


def _counts(pixels: np.ndarray) -> tuple[dict[int, int], dict[int, int]]:
    """Return the pixels of each value, and those in short runs; masks have few runs, so those are counted."""
    flat = pixels.ravel()
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
    lengths = np.diff(starts, append=len(flat))
    values, places = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(places, lengths)
    short = np.bincount(places, np.where(lengths <= _SHORT, lengths, 0))
    names = [int(value) for value in values]
    return (
        dict(zip(names, counts.astype(int).tolist(), strict=True)),
        dict(zip(names, short.astype(int).tolist(), strict=True)),
    )
