"""Large TIFF images, whose strips or tiles are decoded when their rows are needed.

Each strip or tile is wrapped as a small TIFF of its own, which Pillow decodes as it decodes the whole.
"""

import io
import math
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import TiffImagePlugin, TiffTags

from maskline.errors import ImageError
from maskline.files.further_images import count_images, rgb, without_warnings
from maskline.messages import one_line, os_sentence

_READ_BY_ROWS = 2**24  # pixels; a smaller image is decoded whole
_MOST = 2**26  # pixels of strips or tiles side by side that are decoded at once
_WIDTH, _LENGTH, _COMPRESSION, _ORIENTATION, _PLANAR = 256, 257, 259, 274, 284
_STRIPS, _STRIP_LENGTH, _STRIP_SIZES = 273, 278, 279
_TILE_WIDTH, _TILE_LENGTH, _TILES, _TILE_SIZES = 322, 323, 324, 325
_UNCOMPRESSED, _OLD_JPEG = 1, 6
# How pixels are stored: bits, compression, photometric, fill order, samples, planar, predictor, color map, extra
# samples, sample format, JPEG tables and YCbCr.
_KEPT = (258, 259, 262, 266, 277, 284, 317, 320, 338, 339, 347, 529, 530, 531, 532)


class _Layout(NamedTuple):
    """How the strips or tiles of an image lie in it.

    Attributes:
        height: of the image.
        width: of the image.
        length: rows of a strip or tile.
        across: columns of a strip or tile.
        offsets: of each in the file, row by row.
        sizes: of each in bytes.
        is_tiled: tiles are full at the image's edges, strips are not.
        kept: the tags that say how pixels are stored, with their types.
        prefix: the byte order.
    """

    height: int
    width: int
    length: int
    across: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    is_tiled: bool
    kept: dict[int, tuple[int, object]]
    prefix: bytes


class TiffRows:
    """The rows of a TIFF file.

    Args:
        path: of the file.
        name: of the image, for messages.
        layout: of its strips or tiles.
    """

    def __init__(self, path: Path, name: str, layout: _Layout) -> None:
        self.height, self.width = layout.height, layout.width
        self._path, self._name, self._layout = path, name, layout

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return the rows from `start` up to `stop`, uint8 [stop - start, width, 3].

        Raises:
            ImageError: the file is damaged there, or it cannot be opened again.
        """
        try:
            with open(self._path, "rb") as file:
                return self._read(file, start, stop)
        except OSError as error:
            raise ImageError(os_sentence(error, "try again")) from None

    def _read(self, file: BinaryIO, start: int, stop: int) -> np.ndarray:
        out = np.empty((stop - start, self.width, 3), np.uint8)
        length, across = self._layout.length, self._layout.across
        for top in range(start // length * length, stop, length):
            for left in range(0, self.width, across):
                low, high = max(start, top), min(stop, top + length)
                piece = self._piece(file, top // length, left // across)
                out[low - start : high - start, left : left + across] = piece[
                    low - top : high - top, : self.width - left
                ]
        return out

    def _piece(self, file: BinaryIO, row: int, column: int) -> np.ndarray:
        """Return a strip or tile, uint8 [h, w, 3]."""
        layout = self._layout
        index = row * math.ceil(layout.width / layout.across) + column
        rows = layout.length if layout.is_tiled else min(layout.length, layout.height - row * layout.length)
        try:
            file.seek(layout.offsets[index])
            data = file.read(layout.sizes[index])
            if len(data) < layout.sizes[index]:
                raise ValueError("the file is truncated")
            with without_warnings():
                image = TiffImagePlugin.TiffImageFile(io.BytesIO(_as_file(layout, data, rows)))
                image.load()
        except Exception as error:  # Pillow raises whatever its readers meet in a damaged file
            raise ImageError(f"image {self._name} cannot be read: {one_line(error)}; replace or remove it.") from None
        return np.asarray(rgb(image, self._name))


def open_by_rows(path: Path, name: str, large: int = _READ_BY_ROWS) -> TiffRows | None:
    """Return the rows of a TIFF of at least `large` pixels; None: decode the file whole.

    Files are decoded whole that are rotated, in separate planes, compressed as old JPEG or as one strip, hold several
    images, or are no TIFF that Pillow opens.
    """
    with without_warnings():
        try:
            with TiffImagePlugin.TiffImageFile(path) as image:
                if image.width * image.height < large or count_images(image) > 1:
                    return None
                layout = _layout(image)
        except OSError as error:
            if error.errno is not None:
                raise
            return None
        except Exception:  # Pillow raises whatever it meets in a damaged file
            return None
    return layout and TiffRows(path, name, layout)


def _layout(image: TiffImagePlugin.TiffImageFile) -> _Layout | None:
    tags = image.tag_v2
    compression = tags.get(_COMPRESSION, _UNCOMPRESSED)
    if tags.get(_ORIENTATION, 1) != 1 or tags.get(_PLANAR, 1) != 1 or compression == _OLD_JPEG:
        return None
    height, width = tags[_LENGTH], tags[_WIDTH]
    kept = {tag: (tags.tagtype[tag], tags[tag]) for tag in _KEPT if tag in tags}
    is_tiled = _TILES in tags
    if is_tiled:
        length, across = tags[_TILE_LENGTH], tags[_TILE_WIDTH]
        offsets, sizes = tags[_TILES], tags.get(_TILE_SIZES, ())
    else:
        length, across = min(tags.get(_STRIP_LENGTH, height), height), width
        offsets, sizes = tags[_STRIPS], tags.get(_STRIP_SIZES, ())
        if compression == _UNCOMPRESSED and len(offsets) == 1:
            length, offsets, sizes = _cut(offsets[0], height, _row_bytes(image))
    layout = _Layout(height, width, length, across, tuple(offsets), tuple(sizes), is_tiled, kept, tags.prefix)
    return layout if _is_complete(layout) and length * math.ceil(width / across) * across <= _MOST else None


def _row_bytes(image: TiffImagePlugin.TiffImageFile) -> int:
    bits = image.tag_v2.get(258, (1,))
    samples = image.tag_v2.get(277, 1)
    return math.ceil(image.tag_v2[_WIDTH] * samples * bits[0] / 8)


def _cut(offset: int, height: int, row_bytes: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Cut one uncompressed strip into strips of 64 rows; return their length, offsets and sizes."""
    length = 64
    starts = range(0, height, length)
    offsets = tuple(offset + start * row_bytes for start in starts)
    return length, offsets, tuple(min(length, height - start) * row_bytes for start in starts)


def _is_complete(layout: _Layout) -> bool:
    if layout.length < 1 or layout.across < 1:
        return False
    count = math.ceil(layout.height / layout.length) * math.ceil(layout.width / layout.across)
    return len(layout.offsets) == len(layout.sizes) == count


def _as_file(layout: _Layout, data: bytes, rows: int) -> bytes:
    """Return a TIFF file of one strip."""
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=layout.prefix)
    for tag, (kind, value) in layout.kept.items():
        tags.tagtype[tag] = kind
        tags[tag] = value
    tags[_WIDTH], tags[_LENGTH], tags[_STRIP_LENGTH] = layout.across, rows, rows
    tags.tagtype[_STRIPS] = TiffTags.LONG
    tags[_STRIPS], tags[_STRIP_SIZES] = 0, len(data)  # Pillow adds the length of the header to the offset
    out = io.BytesIO()
    tags.save(out)
    return out.getvalue() + data
