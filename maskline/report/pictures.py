"""Pictures of predictions as data URIs, small enough together for one page."""

import base64
import io
import math
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from maskline.report.inputs import KINDS, Pictures, damaged, read_bytes

MOST_PIXELS = 8_000_000
MOST_CHARACTERS = 4_000_000


def embedded(evaluation: Path, pictures: Pictures, height: int, width: int) -> dict[str, dict[str, str]]:
    """Return data URIs by folder and kind (image, truth, prediction, errors, uncertainty).

    Labels keep their exact colours (lossless WebP, nearest neighbour), the others are compressed; all are shrunk alike
    until they hold at most MOST_PIXELS and MOST_CHARACTERS together.

    Args:
        evaluation: the folder that the pictures' folders stand in.
        pictures: the predictions to show.
        height: of every picture, in pixels.
        width: of every picture, in pixels.

    Raises:
        InputError: a picture is missing or damaged.
    """
    folders = {picture.folder: None for group in (pictures.best, pictures.worst, pictures.random) for picture in group}
    pixels = height * width * len(folders) * len(KINDS)
    scale = min(1.0, math.sqrt(MOST_PIXELS / max(pixels, 1)))
    while True:
        uris = {name: {kind: _encode(evaluation / name, kind, scale) for kind in KINDS} for name in folders}
        if sum(len(uri) for kinds in uris.values() for uri in kinds.values()) <= MOST_CHARACTERS:
            return uris
        scale /= 2


def _encode(folder: Path, kind: str, scale: float) -> str:
    image = _open(folder / f"{kind}.png")
    if scale < 1:
        size = [max(1, round(length * scale)) for length in image.size]
        image = image.resize(size, Image.Resampling.LANCZOS if kind == "image" else Image.Resampling.NEAREST)
    data = io.BytesIO()
    image.save(data, "WEBP", lossless=kind in ("truth", "prediction"), quality=80)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(io.BytesIO(read_bytes(path))) as image:
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        reason = "it is no picture" if isinstance(error, UnidentifiedImageError) else error
        raise damaged(path, reason) from None
