"""Decoding of images and masks: unusual forms are converted and counted, or raise an error that names the file."""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from maskline.contracts.classes import VOID
from maskline.contracts.fit import Size, reduction
from maskline.contracts.source import Source
from maskline.errors import InputError
from maskline.messages import one_line

_JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_EXIF_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)  # orientations in which rows are stored as columns
_MARKS_OF_EXIF = (b"eXIf", b"Raw profile type", b"xmp")  # what a PNG has in which Pillow finds an orientation
_DARK = 64  # of 255: a 16-bit image that has 14 bits or fewer
_MOST_LISTED = 32  # unknown values or colors of a mask
_NUMBERED = "; so many labels come from smoothing, a lossy format or numbered objects, which are no classes"
_SMOOTHED = "; so many colours come from smoothing or a lossy format, which a mask must not have"


class DecodedImage(NamedTuple):
    """An RGB image, and the conversions that it needed."""

    image: Image.Image
    conversions: tuple[str, ...]


def image_size(data: bytes, name: str) -> Size:
    """Return the height and width of an upright PNG or JPEG; pixels. The image is decoded only if it must be.

    Raises:
        InputError: the data are empty, damaged, or of another format.
    """
    image = _open(data, name, "image")
    if data.startswith(_JPEG_MAGIC):
        return _turned((image.height, image.width), _orientation(image, name))
    if any(mark in data for mark in _MARKS_OF_EXIF):  # which may come after the pixels
        image = decode_image(data, name).image
    return image.height, image.width


def decode_image(data: bytes, name: str, scaled: Size | None = None) -> DecodedImage:
    """Decode PNG or JPEG bytes to an upright RGB image.

    Palette, greyscale, alpha and 16-bit images are converted: alpha is dropped and the high 8 of 16 bits are kept. That
    leaves little of an image that uses only a part of its range, which is counted as dark.

    Args:
        data: the content of the file.
        name: of the image, for messages.
        scaled: the height and width to which the image will be resized. A large JPEG is then reduced while it is
            decoded (see `contracts.fit.reduction`): of each block of 8x8 pixels, libjpeg computes 4x4, 2x2 or 1 from
            the block's lowest frequencies. All data are still read, so that damage is found as it is at full size.

    Raises:
        InputError: the data are empty, truncated, or of another format.
    """
    image = _open(data, name, "image")
    if scaled and data.startswith(_JPEG_MAGIC):
        _reduce(image, _turned(scaled, _orientation(image, name)))
    _load(image, name, "image")
    image, is_rotated = upright(image, name)
    conversions = ["exif_rotated"] if is_rotated else []
    if _is_sixteen_bit(data):
        conversions.append("sixteen_bit")
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image, np.uint32) >> 8).astype(np.uint8))
        if np.asarray(image).max() < _DARK:
            conversions.append("dark_sixteen_bit")
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        conversions.append("alpha")
    if image.mode in ("P", "PA"):
        conversions.append("palette")
    if image.mode in ("1", "L", "LA"):
        conversions.append("greyscale")
    return DecodedImage(image if image.mode == "RGB" else image.convert("RGB"), tuple(conversions))


def _reduce(image: Image.Image, scaled: Size) -> None:
    """Let a JPEG that was opened be decoded at the scale at which it will be resized to `scaled`."""
    factor = reduction((image.height, image.width), scaled)
    if factor > 1:
        image.draft(None, (image.width // factor, image.height // factor))


def _turned(size: Size, orientation: Any) -> Size:
    """Return the size of an upright image as it is stored, or the other way round."""
    return size[::-1] if orientation in _LYING else size


def upright(image: Image.Image, name: str) -> tuple[Image.Image, bool]:
    """Turn an image as its EXIF data say, and return whether they say so.

    Raises:
        InputError: the EXIF data are damaged.
    """
    if _orientation(image, name) == 1:
        return image, False
    with _reading_exif(name):
        return ImageOps.exif_transpose(image), True


def _orientation(image: Image.Image, name: str) -> Any:
    """Return the orientation, which is a number from 1 to 8 unless the EXIF data are odd."""
    with _reading_exif(name):
        return image.getexif().get(_EXIF_ORIENTATION, 1)


@contextlib.contextmanager
def _reading_exif(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # Pillow only warns of some damage. Other libraries may warn at the same time in other threads.
            warnings.filterwarnings("error", module="PIL")
            yield
    except Exception as error:  # Pillow raises whatever its parser of TIFF meets
        raise InputError(
            f"image {name} has EXIF data that cannot be read ({one_line(error)}); save it again without them."
        ) from None


def decode_mask(data: bytes, name: str, source: Source) -> np.ndarray:
    """Decode PNG bytes to class labels, uint8 [H, W], with void pixels 255.

    Raises:
        InputError: the data are empty, truncated or not PNG, or a value is neither a class nor void.
    """
    if data.startswith(_JPEG_MAGIC):
        raise InputError(f"mask {name} is a JPEG, whose compression changes labels; save it as PNG.")
    image = _open(data, name, "mask")
    _load(image, name, "mask")
    if source.masks == "color":
        if image.mode.startswith("I"):
            raise InputError(
                f"mask {name} has 16-bit grey values, but color masks have 8-bit colours; "
                "save it as 8-bit RGB, or set dataset.masks to index."
            )
        return _labels_of_colors(np.asarray(image.convert("RGB")), name, source)
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        raise InputError(
            f"mask {name} has the channels {image.mode}, but index masks have one; "
            "save it with one channel, or set dataset.masks to color."
        )
    labels = _labels_of_bytes(image, source) if image.mode in ("L", "P") else None
    return _labels_of_values(np.asarray(image), name, source) if labels is None else labels


def _open(data: bytes, name: str, kind: str) -> Image.Image:
    """Open a PNG or JPEG, whose pixels are not yet decoded."""
    if not data:
        raise InputError(f"{kind} {name} holds zero bytes; replace or remove it.")
    if not data.startswith((_JPEG_MAGIC, _PNG_MAGIC)):
        raise InputError(f"{kind} {name} is neither PNG nor JPEG. Received: {data[:8]!r}; convert it to PNG.")
    with _readable(name, kind):
        return Image.open(io.BytesIO(data))


def _load(image: Image.Image, name: str, kind: str) -> None:
    """Decode the pixels of an image that was opened."""
    with _readable(name, kind):
        image.load()


@contextlib.contextmanager
def _readable(name: str, kind: str) -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError:
        raise InputError(f"{kind} {name} is damaged near its start; replace or remove it.") from None
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise InputError(f"{kind} {name} cannot be read: {error}; replace or remove it.") from None


def _is_sixteen_bit(data: bytes) -> bool:
    """Read the bit depth from a PNG header, because Pillow silently reduces 16-bit color to 8 bits."""
    return data.startswith(_PNG_MAGIC) and data[24] == 16


def _labels_of_bytes(image: Image.Image, source: Source) -> np.ndarray | None:
    """Return the labels of values from 0 to 255, uint8 [H, W], or None if one is unknown; Pillow's tables are fast."""
    table = _value_table(source)[:256]
    if image.point((table < 0).tolist()).getbbox():
        return None
    return np.asarray(image.point(table.clip(min=0).tolist()))


def _labels_of_values(values: np.ndarray, name: str, source: Source) -> np.ndarray:
    labels = _value_table(source).take(values)
    if labels.min() < 0:
        unknown, counts = np.unique(values[labels < 0].astype(int), return_counts=True)
        known = ", ".join([*source.labels, *source.void])
        raise InputError(
            f"mask {name} has the label{_counted(map(str, unknown), counts)}, outside the classes and void ({known}); "
            f"{_remedy(np.unique(values).astype(int).tolist(), source)}"
            f"{_NUMBERED if len(unknown) > _MOST_LISTED else ''}."
        )
    return labels.astype(np.uint8)


def _counted(values: Iterable[str], counts: np.ndarray) -> str:
    """Return ' 3 at 5 pixels' or 's 3 at 5 pixels, 7 at 1 pixel and 9 at 2 pixels'."""
    parts = [
        f"{value} at {count} pixel{'s' * (count != 1)}" for value, count in zip(values, counts.tolist(), strict=True)
    ]
    if len(parts) > _MOST_LISTED:
        order = np.argsort(-counts, kind="stable")[:_MOST_LISTED]
        more = counts.sum() - counts[order].sum()
        parts = [*(parts[i] for i in sorted(order)), f"{len(parts) - _MOST_LISTED} others at {more} pixels"]
    return f" {parts[0]}" if len(parts) == 1 else f"s {', '.join(parts[:-1])} and {parts[-1]}"


def _remedy(values: list[int], source: Source) -> str:
    """Return what to do about a mask of these values, some of which are unknown.

    They are taken for the values of the classes if there is one for each class and they do not look like labels with a
    void value among them.
    """
    names, count = [c.name for c in source.classes], len(source.classes)
    valid = [value for value in values if str(value) not in source.void]
    if count == 2 and len(valid) == 1:
        valid = [0, *valid]  # an image of the second class alone
    is_default = list(source.labels) == [str(label) for label in range(count)]
    looks_like_labels = any(0 < value < count for value in valid) and valid != list(range(1, count + 1))
    if is_default and len(valid) == count and not looks_like_labels:
        return (
            f"if {_and(map(str, valid))} are {_and(names)}, set dataset.values to {valid}; otherwise correct the mask"
        )
    return (
        "correct the mask, or, for masks of your own, list the value with its class in dataset.values or, if it is no "
        "class, in dataset.void"
    )


def _and(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}"


def _labels_of_colors(colors: np.ndarray, name: str, source: Source) -> np.ndarray:
    """Look up runs of equal color instead of pixels, because a mask has few runs."""
    red, green, blue = np.moveaxis(colors.reshape(-1, 3).astype(np.uint32), 1, 0)
    packed = red << 16 | green << 8 | blue
    starts = np.append(0, np.flatnonzero(packed[1:] != packed[:-1]) + 1)
    runs, lengths = packed[starts], np.diff(starts, append=len(packed))
    known, labels = _color_table(source)
    index = np.searchsorted(known, runs).clip(max=len(known) - 1)
    unknown = known[index] != runs
    if unknown.any():
        found, of_run = np.unique(runs[unknown], return_inverse=True)
        counts = np.bincount(of_run, lengths[unknown]).astype(np.int64)
        raise InputError(
            f"mask {name} has the colour{_counted((f'#{color:06x}' for color in found), counts)}, which "
            f"{'is' if len(found) == 1 else 'are'} not in the table; correct the mask, or, for masks of your own, "
            f"add the colour to dataset.colors or dataset.void{_SMOOTHED if len(found) > _MOST_LISTED else ''}."
        )
    return np.repeat(labels[index], lengths).reshape(colors.shape[:2])


def _tables_key(source: Source) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    return tuple(source.labels.items()), tuple(source.void)


def _value_table(source: Source) -> np.ndarray:
    return _build_value_table(*_tables_key(source))


@lru_cache(maxsize=4)
def _build_value_table(labels: tuple[tuple[str, int], ...], void: tuple[str, ...]) -> np.ndarray:
    table = np.full(1 << 16, -1, np.int16)
    for value in void:
        table[int(value)] = VOID
    for value, label in labels:
        table[int(value)] = label
    return table


def _color_table(source: Source) -> tuple[np.ndarray, np.ndarray]:
    return _build_color_table(*_tables_key(source))


@lru_cache(maxsize=4)
def _build_color_table(labels: tuple[tuple[str, int], ...], void: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    pairs = sorted({int(color[1:], 16): label for color, label in (*((v, VOID) for v in void), *labels)}.items())
    return np.array([c for c, _ in pairs], np.uint32), np.array([label for _, label in pairs], np.uint8)
