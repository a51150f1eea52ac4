"""Small pictures of a few examples of each split, with the image and its painted mask side by side."""

import hashlib
import heapq
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from maskline.contracts.classes import ClassInfo, Role
from maskline.contracts.examples import FOLDER, PATH, Examples, picture_name
from maskline.contracts.manifest import Manifest
from maskline.files.artifacts import stored_png, write_bytes
from maskline.files.records import write_record
from maskline.shards.example import read_example

MOST = 4  # pictures of each split
LONGEST = 160  # side of a picture's half, in pixels


def write_examples(folder: Path, manifest: Manifest, names: Mapping[Role, Sequence[Sequence[str]]]) -> None:
    """Write `examples/<split>-<n>.png` and `examples/index.json`, the file names by split, into the shards' folder.

    Images are chosen by a hash of the name only, so that another order changes none of them, and an added image at most
    one. A picture's left half is the image, its right half the mask in the colors of the classes, with void in white.

    Args:
        folder: holds the shards that the manifest lists.
        manifest: describes these shards.
        names: of the examples in each shard, by split.
    """
    index: dict[Role, list[str]] = {}
    for role, shards in names.items():
        chosen = _chosen(shards)
        index[role] = [name for *_, name in chosen]
        for number, (shard, place, _) in enumerate(chosen):
            path = folder / manifest.splits[role].shards[shard].file
            picture = side_by_side(*read_example(path, place, manifest), manifest.classes)
            write_bytes(folder / FOLDER.name / picture_name(role, number), stored_png(picture))
    write_record(folder / FOLDER.name / PATH.name, Examples.model_validate(index))


def side_by_side(image: np.ndarray, labels: np.ndarray, classes: Sequence[ClassInfo]) -> np.ndarray:
    """Return image uint8 [H, W, 3] and labels uint8 [H, W], shrunk to LONGEST, as one picture uint8 [h, 2 w, 3]."""
    height, width = labels.shape
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    mask = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
    mask.putpalette(b"".join(bytes.fromhex(c.color[1:]) for c in classes).ljust(3 * 256, b"\xff"))
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.concatenate([np.asarray(small), np.asarray(mask.convert("RGB"))], axis=1)


def _chosen(shards: Sequence[Sequence[str]]) -> list[tuple[int, int, str]]:
    """Return (shard, place in it, name) of the MOST names with the lowest hashes."""
    places = ((shard, place, name) for shard, names in enumerate(shards) for place, name in enumerate(names))
    return heapq.nsmallest(MOST, places, key=lambda each: hashlib.sha256(each[-1].encode()).digest())
