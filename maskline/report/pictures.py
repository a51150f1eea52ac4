"""Pictures as data URIs, small enough together for one page."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image, UnidentifiedImageError

from maskline.contracts.audit import HeldOut, NearTrain, Neighbor
from maskline.contracts.classes import ROLES, Role
from maskline.contracts.examples import Examples, picture_name
from maskline.contracts.neighbors import MOST as MOST_PAIRS
from maskline.contracts.neighbors import picture_name as picture_of_pair
from maskline.contracts.pictures import Kind, picture_path
from maskline.errors import ArtifactError
from maskline.files.records import read_bytes

MOST_PIXELS = 8_000_000
MOST_CHARACTERS = 3_500_000  # of the predictions; the examples are small, and the rest of the page is text
_LABELS = ("truth", "prediction", "mask")  # keep their exact colours


class Drawn(Protocol):
    """An image, and the folder of its pictures with their size in pixels."""

    @property
    def folder(self) -> str:
        """The folder, relative to the one that holds all pictures."""

    @property
    def height(self) -> int:
        """Of each picture, pixels."""

    @property
    def width(self) -> int:
        """Of each picture, pixels."""


def embedded(
    evaluation: Path, pictures: Sequence[Drawn], kinds: Sequence[Kind], share: float = 1.0
) -> dict[str, dict[Kind, str]]:
    """Return data URIs by folder and kind.

    Labels keep their exact colours (lossless WebP, nearest neighbour), the others are compressed; all are shrunk alike
    until they hold at most a share of MOST_PIXELS and MOST_CHARACTERS together.

    Args:
        evaluation: the folder that holds the pictures' folders.
        pictures: the predictions to show, each once.
        kinds: of the pictures of each.
        share: of the two limits.

    Raises:
        ArtifactError: a picture is missing or damaged.
    """
    pixels = len(kinds) * sum(picture.height * picture.width for picture in pictures)
    scale = min(1.0, math.sqrt(share * MOST_PIXELS / max(pixels, 1)))
    while True:
        uris = {p.folder: _encoded(evaluation, p.folder, kinds, scale) for p in pictures}
        if sum(len(uri) for each in uris.values() for uri in each.values()) <= share * MOST_CHARACTERS:
            return uris
        scale /= 2


def embedded_examples(folder: Path, examples: Examples) -> dict[Role, list[tuple[str, str, str]]]:
    """Return (file name, image, mask) of each split's examples, the pictures as data URIs of half a file each.

    Raises:
        ArtifactError: a picture is missing or damaged.
    """
    names: dict[Role, list[str]] = {role: getattr(examples, role) for role in ROLES}
    return {
        role: [(name, *_halves(folder / picture_name(role, number))) for number, name in enumerate(names[role])]
        for role in ROLES
    }


def embedded_neighbors(
    folder: Path, leakage: Mapping[HeldOut, NearTrain]
) -> dict[HeldOut, list[tuple[Neighbor, str, str]]]:
    """Return (pair, its image, the image of train) of each split's first pairs, the pictures as data URIs.

    Raises:
        ArtifactError: a picture is missing or damaged.
    """
    return {
        role: [
            (pair, *_halves(folder / picture_of_pair(role, number), ("image", "image")))
            for number, pair in enumerate(near.pairs[:MOST_PAIRS])
        ]
        for role, near in leakage.items()
    }


def _encoded(evaluation: Path, folder: str, kinds: Sequence[Kind], scale: float) -> dict[Kind, str]:
    return {kind: _uri(_shrunk(_open(evaluation / picture_path(folder, kind)), kind, scale), kind) for kind in kinds}


def _halves(path: Path, kinds: tuple[str, str] = ("image", "mask")) -> tuple[str, str]:
    picture = _open(path)
    middle = picture.width // 2
    left, right = picture.crop((0, 0, middle, picture.height)), picture.crop((middle, 0, *picture.size))
    return _uri(left, kinds[0]), _uri(right, kinds[1])


def _shrunk(image: Image.Image, kind: str, scale: float) -> Image.Image:
    if scale == 1:
        return image
    size = [max(1, round(length * scale)) for length in image.size]
    return image.resize(size, Image.Resampling.LANCZOS if kind == "image" else Image.Resampling.NEAREST)


def _uri(image: Image.Image, kind: str) -> str:
    data = io.BytesIO()
    image.save(data, "WEBP", lossless=kind in _LABELS, quality=80)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(io.BytesIO(read_bytes(path))) as image:
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else " ".join(str(error).split())
        raise ArtifactError(path, f"is damaged: {reason}") from None
