"""Image files of the formats that only Pillow reads here: TIFF, BMP and WebP, one image each."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from maskline.errors import ImageError
from maskline.messages import one_line

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how its files begin
_FORMATS = ("BMP", "TIFF", "WEBP")
_BITS, _COMPRESSION, _PLANAR, _NEW_SUBFILE_TYPE = 258, 259, 284, 254
_UNCOMPRESSED, _SEPARATE = 1, 2
_REDUCED_OR_MASK = 0b101  # bits of a TIFF page that shows no further image


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Silence Pillow's warnings, such as that about a large image; it refuses one of twice that size."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def open_further(data: bytes, name: str, kind: str = "image") -> Image.Image:
    """Return the decoded image of a TIFF, BMP or WebP file, in Pillow's mode for it; a TIFF is turned upright.

    Args:
        data: the content of the file.
        name: of the file, for messages.
        kind: what the file is, for messages.

    Raises:
        ImageError: the file is damaged, of another format, or holds several images.
        Image.DecompressionBombError: it has more pixels than Pillow decodes.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        images = count_images(image)
        if images == 1:
            _refuse_misread(image, name, kind)
            image.load()  # turns a TIFF upright
    except (Image.DecompressionBombError, ImageError):
        raise
    except UnidentifiedImageError:
        if data.startswith(TIFF):
            raise ImageError(
                f"{kind} {name} is a damaged TIFF, or one of a form that cannot be read; save it with 8 or 16 bits, as "
                "gray or RGB, or as PNG."
            ) from None
        raise ImageError(
            f"{kind} {name} cannot be read as PNG, JPEG, TIFF, BMP or WebP. Received: {data[:8]!r}; convert it to PNG."
        ) from None
    except Exception as error:  # Pillow raises whatever its readers meet in a damaged file
        raise ImageError(f"{kind} {name} cannot be read: {one_line(error)}; replace or remove it.") from None
    if images > 1:
        raise ImageError(f"{kind} {name} holds {images} images; save each in a file of its own.")
    return image


def count_images(image: Image.Image) -> int:
    """Return the number of images in a file, without the pages of a TIFF that only reduce or mask another."""
    count = getattr(image, "n_frames", 1)
    if count == 1 or not isinstance(image, TiffImagePlugin.TiffImageFile):
        return count
    others = 0
    for page in range(1, count):
        image.seek(page)
        others += not image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED_OR_MASK
    image.seek(0)
    return 1 + others


def _refuse_misread(image: Image.Image, name: str, kind: str) -> None:
    """Raise ImageError for two forms of TIFF of which Pillow 13 returns wrong pixels."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags = image.tag_v2
    is_packed = tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
    if is_sixteen_bit(image) and tags.get(_PLANAR) == _SEPARATE and not is_packed:
        raise ImageError(
            f"{kind} {name} is a TIFF with 16-bit colors in separate planes; interleave its colors, or save it as PNG."
        )
    if image.mode in ("I", "F") and tags.prefix == b"MM" and is_packed:
        raise ImageError(
            f"{kind} {name} is a compressed big-endian TIFF of signed, 32-bit or floating-point values; save it "
            "without compression, or as PNG."
        )


def is_sixteen_bit(image: Image.Image) -> bool:
    """Return whether a TIFF has more than 8 bits per channel, of which Pillow drops the low ones if it is in color."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and max(image.tag_v2.get(_BITS, (1,))) > 8


def rgb(image: Image.Image, name: str) -> Image.Image:
    """Return an image as RGB; of 16-bit values the high 8 bits are kept.

    Raises:
        ImageError: it has 32-bit or Lab values.
    """
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.uint32) >> 8).astype(np.uint8))
    if image.mode in ("I", "F", "LAB"):
        raise ImageError(
            f"image {name} has values of the kind {image.mode}, which have no certain colors; save it with 8 or 16 "
            "bits per channel, as gray or RGB."
        )
    return image.convert("RGB")
