"""Decoding of a user's images: PNG and JPEG as preprocess decodes them, and further formats that users have."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from maskline.errors import InputError
from maskline.messages import one_line
from maskline.prediction.image_rows import ImageError
from maskline.shards.decode import decode_image, upright

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_AS_PREPROCESS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")  # how JPEG and PNG begin
_FURTHER = ("BMP", "TIFF", "WEBP")
_NEW_SUBFILE_TYPE = 254
_REDUCED_OR_MASK = 0b101  # bits of a TIFF page that shows no further image


def decode(data: bytes, name: str) -> Image.Image:
    """Decode an image to upright RGB, with the conversions of `decode_image`: alpha is dropped, 16 bits become 8.

    Args:
        data: the content of a PNG, JPEG, TIFF, BMP or WebP file.
        name: of the image, for messages.

    Raises:
        ImageError: the data are empty, damaged, too large, of another format, or have values that are no colors.
    """
    with without_warnings():
        try:
            if not data or data.startswith(_AS_PREPROCESS):
                _check_size(data, name)
                return decode_image(data, name).image
            return rgb(upright(_further(data, name), name)[0], name)
        except InputError as error:
            raise ImageError(str(error)) from None


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Silence Pillow's warnings, such as that about a large image; it refuses one of twice that size."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def _check_size(data: bytes, name: str) -> None:
    """Refuse an image that is larger than Pillow decodes; leave other defects to the decoder."""
    try:
        Image.open(io.BytesIO(data)).close()
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except Exception:
        return


def _too_large(name: str) -> ImageError:
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    return ImageError(
        f"image {name} has more than {most} pixels; cut it, or save it as a TIFF in strips or tiles, which is read by "
        "parts."
    )


def _further(data: bytes, name: str) -> Image.Image:
    """Read an image of a format that preprocess does not take."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FURTHER)
        images = count_images(image)
        if images == 1:
            image.load()  # turns a TIFF upright
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except UnidentifiedImageError:
        raise ImageError(
            f"image {name} cannot be read as PNG, JPEG, TIFF, BMP or WebP. Received: {data[:8]!r}; convert it to PNG."
        ) from None
    except Exception as error:  # Pillow raises whatever its readers meet in a damaged file
        raise ImageError(f"image {name} cannot be read: {one_line(error)}; replace or remove it.") from None
    if images > 1:
        raise ImageError(f"image {name} holds {images} images; save each in a file of its own.")
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


def rgb(image: Image.Image, name: str) -> Image.Image:
    """Return an image as RGB.

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
