"""Decoding of a user's images: PNG and JPEG as preprocess decodes them, and further formats that users have."""

import io

from PIL import Image

from maskline.errors import ImageError, InputError
from maskline.files.further_images import open_further, rgb, without_warnings
from maskline.shards.decode import decode_image, upright

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_AS_PREPROCESS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")  # how JPEG and PNG begin


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
            return rgb(upright(open_further(data, name), name)[0], name)
        except Image.DecompressionBombError:
            raise _too_large(name) from None
        except InputError as error:
            raise ImageError(str(error)) from None


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
