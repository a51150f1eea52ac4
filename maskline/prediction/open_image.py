"""Opening a user's image: its rows, and the digest of its file."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from maskline.files.artifacts import sha256
from maskline.files.further_images import TIFF
from maskline.prediction.decode import decode
from maskline.prediction.image_rows import ArrayRows, ImageRows
from maskline.prediction.tiff_rows import open_by_rows

_ROWS = 256  # copied at once


class OpenImage(NamedTuple):
    """The rows of an image, and the SHA-256 of its file in hex."""

    rows: ImageRows
    sha256: str


def open_image(path: Path, name: str) -> OpenImage:
    """Open an image file; a large TIFF is read when its rows are, every other image is decoded.

    Args:
        path: of a PNG, JPEG, TIFF, BMP or WebP file.
        name: of the image, for messages.

    Raises:
        ImageError: the file is empty, damaged, too large, of another format, or has values that are no colors.
    """
    with open(path, "rb") as file:
        if file.read(4) in TIFF and (by_rows := open_by_rows(path, name)):
            return OpenImage(by_rows, sha256(path))
        file.seek(0)
        data = file.read()
    return OpenImage(ArrayRows(_pixels(decode(data, name))), hashlib.sha256(data).hexdigest())


def _pixels(image: Image.Image) -> np.ndarray:
    """Return an RGB image as uint8 [H, W, 3]; Pillow itself would hold two more copies meanwhile."""
    out = np.empty((image.height, image.width, 3), np.uint8)
    for start in range(0, image.height, _ROWS):
        stop = min(start + _ROWS, image.height)
        out[start:stop] = np.asarray(image.crop((0, start, image.width, stop)))
    return out
