"""PNG bytes of TIFF, BMP and WebP files, because TFDS reads no TIFF and no WebP; JPEG and PNG files stay as they are.

Nothing that preprocess reads is lost: a PNG keeps palettes, alpha and 16 bits. Only of 16-bit colors the low 8 bits are
gone, which preprocess drops from a PNG too.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin

from maskline.datasets.formats.pairs import JPEG, PNG
from maskline.errors import ImageError
from maskline.files.further_images import is_sixteen_bit, open_further, rgb, without_warnings

_LEVEL = 3  # of compression, as in the shards
_KEPT = ("1", "L", "LA", "P", "RGB", "RGBA")  # modes that PNG has
_PHOTOMETRIC, _CHANNELS = 262, 277
_WHITE_IS_ZERO = 0
_LOSSY = ("jpeg", "tiff_jpeg", "webp")


def image_bytes(path: Path) -> bytes:
    """Return the bytes of a JPEG or PNG file, or of a PNG of the image in a TIFF, BMP or WebP file.

    Raises:
        ImageError: the file is damaged, holds several images, or has values or channels that are no colors.
    """
    data = path.read_bytes()
    if data.startswith((JPEG, PNG)):
        return data
    image = _opened(data, path, "image")
    if image.mode in _KEPT:
        return _sixteen_bit_png(image) if is_sixteen_bit(image) else _png(image)
    return _png(_whole_numbers(image) if image.mode.startswith("I;16") else rgb(image, str(path)))


def mask_bytes(path: Path) -> bytes:
    """Return the bytes of a PNG file, or of a PNG with the values of the mask in a TIFF or BMP file.

    Raises:
        ImageError: the file is damaged, holds several images, is compressed with loss, or has values that are no
            labels or colors.
    """
    data = path.read_bytes()
    if data.startswith(PNG):
        return data
    image = _opened(data, path, "mask")
    if image.info.get("compression") in _LOSSY:
        raise ImageError(
            f"mask {path} has {image.info['compression']} compression, which changes labels; save it as PNG."
        )
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise ImageError(
            f"mask {path} is a TIFF in which 0 is white, whose values programs read in two ways; save it with 0 as "
            "black, or as PNG."
        )
    if image.mode in _KEPT:
        return _sixteen_bit_png(image) if is_sixteen_bit(image) else _png(image)
    if not image.mode.startswith(("I", "F")):
        raise ImageError(
            f"mask {path} has values of the kind {image.mode}, which are no labels; save it as gray or RGB."
        )
    values = np.asarray(image)
    if not ((values >= 0) & (values <= 65535) & (values == np.floor(values))).all():
        raise ImageError(
            f"mask {path} has values from {values.min()} to {values.max()}, but labels are whole numbers from 0 to "
            "65535; correct the mask."
        )
    return _png(_whole_numbers(image))


def _opened(data: bytes, path: Path, kind: str) -> Image.Image:
    with without_warnings():
        try:
            image = open_further(data, str(path), kind)
        except Image.DecompressionBombError:
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise ImageError(f"{kind} {path} has more than {most} pixels; cut it into several.") from None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        channels, read = image.tag_v2.get(_CHANNELS, 1), len(image.getbands())
        if channels > read:
            raise ImageError(
                f"{kind} {path} has {channels} channels, of which {read} would be read; save it as gray, RGB or RGBA."
            )
    return image


def _whole_numbers(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    exif = image.info.get("exif", b"")  # preprocess turns a WebP upright, and counts it then
    image.save(out, "PNG", compress_level=_LEVEL, exif=exif, icc_profile=None)
    return out.getvalue()


def _sixteen_bit_png(image: Image.Image) -> bytes:
    """Return a PNG of 16 bits, whose high ones Pillow has read, so that preprocess counts the image as such."""
    import cv2  # Pillow writes no such PNG

    high = np.asarray(image).astype(np.uint16) << 8
    order = {"RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[image.mode]
    return cv2.imencode(".png", high[..., order], [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL])[1].tobytes()
