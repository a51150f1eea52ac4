"""Pictures of labels: a PNG whose values are labels and whose palette shows colors, and an overlay on the image."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from maskline.contracts.colors import palette
from maskline.files.artifacts import write_bytes
from maskline.prediction.image_rows import ImageRows

_LONGEST = 2048  # pixels of an overlay
_ROWS = 256  # of the image, read at once


def write_labels(path: Path, labels: np.ndarray, colors: Sequence[str]) -> None:
    """Write labels uint8 [H, W] as a palette PNG in the classes' colors '#rrggbb'."""
    height, width = labels.shape
    # Without a copy of the labels, which may be memory-mapped.
    image = Image.frombuffer("P", (width, height), labels, "raw", "P", 0, 1)
    image.putpalette(palette(colors).tobytes())
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=4)
    write_bytes(path, out.getvalue())


def write_overlay(path: Path, image: ImageRows, labels: np.ndarray, colors: Sequence[str]) -> None:
    """Write an overlay as JPEG; see `overlay`."""
    out = io.BytesIO()
    Image.fromarray(overlay(image, labels, colors)).save(out, "JPEG", quality=90, subsampling=0)
    write_bytes(path, out.getvalue())


def overlay(image: ImageRows, labels: np.ndarray, colors: Sequence[str]) -> np.ndarray:
    """Return an image with its labels in half-transparent color, uint8 [h, w, 3].

    An image whose longer side has more than 2048 pixels is reduced by a whole factor.

    Args:
        image: [H, W].
        labels: uint8 [H, W].
        colors: '#rrggbb' of each class.
    """
    factor = -(-max(image.height, image.width) // _LONGEST)
    step = max(1, _ROWS // factor) * factor
    parts = []
    for start in range(0, image.height, step):
        stop = min(start + step, image.height)
        pixels = np.asarray(Image.fromarray(image.rows(start, stop)).reduce(factor))
        parts.append(_blend(pixels, palette(colors)[_reduced(labels[start:stop], factor)]))
    return np.concatenate(parts)


def _reduced(labels: np.ndarray, factor: int) -> np.ndarray:
    """Return the label in the middle of each square of `factor` pixels."""
    rows, columns = (np.minimum(np.arange(0, n, factor) + factor // 2, n - 1) for n in labels.shape)
    return labels[rows[:, None], columns]


def _blend(pixels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    return ((pixels.astype(np.uint16) + colors + 1) // 2).astype(np.uint8)
