"""Small pictures of the nearest pairs of an image in validation or test and one in train, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from maskline.contracts.audit import HeldOut, NearTrain
from maskline.contracts.classes import Role
from maskline.contracts.folders import SHARDS
from maskline.contracts.manifest import Manifest
from maskline.contracts.neighbors import FOLDER, MOST, picture_name
from maskline.files.artifacts import stored_png, write_bytes
from maskline.shards.example import read_example
from maskline.shards.write.examples import LONGEST


def write_neighbors(
    folder: Path,
    manifest: Manifest,
    names: Mapping[Role, Sequence[Sequence[str]]],
    leakage: Mapping[HeldOut, NearTrain],
) -> None:
    """Write `examples/neighbors/<split>-<n>.png` of the first pairs of each split into the shards' folder.

    Args:
        folder: holds the shards that the manifest lists.
        manifest: describes these shards.
        names: of the examples in each shard, by split.
        leakage: of the audit.
    """
    place = folder / FOLDER.relative_to(SHARDS)
    for role, near in leakage.items():
        for number, pair in enumerate(near.pairs[:MOST]):
            shown: tuple[tuple[Role, str], ...] = ((role, pair.image), ("train", pair.train))
            halves = [_small(folder, manifest, names, split, name) for split, name in shown]
            write_bytes(place / picture_name(role, number), stored_png(np.concatenate(halves, axis=1)))


def _small(
    folder: Path, manifest: Manifest, names: Mapping[Role, Sequence[Sequence[str]]], role: Role, name: str
) -> np.ndarray:
    """Return an image, shrunk to LONGEST, uint8 [h, w, 3]."""
    shard = next(number for number, of_shard in enumerate(names[role]) if name in of_shard)
    path = folder / manifest.splits[role].shards[shard].file
    image, _ = read_example(path, names[role][shard].index(name), manifest)
    height, width, _ = image.shape
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
