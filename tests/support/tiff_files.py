"""TIFF files of forms that Pillow does not write: in strips, big-endian, of 16-bit colors, or in separate planes."""

import struct
import zlib

import numpy as np

_SHORT, _LONG = 3, 4
_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}


def tiff_bytes(
    pixels: np.ndarray,
    *,
    order: str = "<",
    rows: int | None = None,
    packed: bool = False,
    planes: bool = False,
    photometric: int | None = None,
) -> bytes:
    """Return the TIFF of pixels [H, W] or [H, W, channels].

    Args:
        pixels: of any integer or floating-point type; bool gives one bit per pixel.
        order: '<' or '>'.
        rows: of a strip; None: all.
        packed: with deflate.
        planes: whether each channel is stored apart.
        photometric: the tag's value; None: RGB from three channels on, else gray with 0 as black; further
            channels are of no stated kind.
    """
    height, width = pixels.shape[:2]
    stored = np.atleast_3d(pixels)
    channels = stored.shape[2]
    parts = [stored[..., i] for i in range(channels)] if planes else [stored]
    rows = rows or height
    strips = [_strip(part[top : top + rows], order) for part in parts for top in range(0, height, rows)]
    strips = [zlib.compress(strip) if packed else strip for strip in strips]
    starts = np.cumsum([8, *map(len, strips)]).tolist()
    photometric = photometric if photometric is not None else 2 if channels >= 3 else 1
    extra = channels - {2: 3, 5: 4}.get(photometric, 1)
    bits = 1 if pixels.dtype == bool else 8 * pixels.dtype.itemsize
    tags = {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [bits] * channels),
        259: (_SHORT, [8 if packed else 1]),
        262: (_SHORT, [photometric]),
        273: (_LONG, starts[:-1]),
        277: (_SHORT, [channels]),
        278: (_LONG, [rows]),
        279: (_LONG, [*map(len, strips)]),
        284: (_SHORT, [2 if planes else 1]),
        **({338: (_SHORT, [0] * extra)} if extra else {}),
        339: (_SHORT, [_SAMPLE_FORMATS.get(pixels.dtype.kind, 1)] * channels),
    }
    data = b"".join(strips)
    data += bytes(len(data) % 2)
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(data))
    return header + data + _directory(tags, 8 + len(data), order)


def _strip(part: np.ndarray, order: str) -> bytes:
    if part.dtype == bool:
        return np.packbits(part.reshape(len(part), -1), axis=1).tobytes()
    return part.astype(part.dtype.newbyteorder(order)).tobytes()


def _directory(tags: dict[int, tuple[int, list[int]]], start: int, order: str) -> bytes:
    """Return the tags; values of more than four bytes come after them."""
    entries, values = b"", b""
    place = start + 2 + 12 * len(tags) + 4
    for tag, (kind, numbers) in tags.items():
        data = struct.pack(f"{order}{len(numbers)}{'H' if kind == _SHORT else 'I'}", *numbers)
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers))
        if len(data) <= 4:
            entries += data.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", place + len(values))
            values += data + bytes(len(data) % 2)
    return struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values
