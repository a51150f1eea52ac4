"""A data/raw folder of a tiny data set, as download writes it, made from arrays."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from maskline.contracts.source import Source, write_source
from maskline.files.artifacts import write_json
from maskline.files.checksums import write_sums
from maskline.shards.tfrecord import encode_example, frame

PALETTE = np.array([[20, 30, 40], [220, 60, 50], [60, 200, 90], [70, 90, 230]], np.uint8)
VOID_COLOR = np.array([128, 128, 128], np.uint8)


class Pair(NamedTuple):
    """One example: its name, its encoded image and its encoded mask."""

    name: str
    image: bytes
    mask: bytes


def encoded(image: np.ndarray | Image.Image, form: str = "png", **options) -> bytes:
    """Encode an array or image."""
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, form, **options)
    return out.getvalue()


def source(classes: int = 3, **changes) -> Source:
    """Return a source of index masks whose values are the labels, with 255 as void and with `changes`."""
    names = ["sky", "tree", "crème brûlée", "car"][:classes]
    values = {
        "name": "tiny",
        "version": "1.0.0",
        "image_feature": "image",
        "mask_feature": "mask",
        "filename_feature": "file_name",
        "masks": "index",
        "classes": [
            {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
            for name, color in zip(names, PALETTE.tolist(), strict=False)
        ],
        "labels": {str(label): label for label in range(classes)},
        "void": ["255"],
        "splits": {"train": "train", "test": "test"},
    }
    return Source.model_validate(values | changes)


def painted(labels: np.ndarray) -> np.ndarray:
    """Return an image whose colors encode its labels."""
    return np.where((labels == 255)[..., None], VOID_COLOR, PALETTE[labels.clip(max=len(PALETTE) - 1)])


def scene(rng: np.random.Generator, height: int = 40, width: int = 48, classes: int = 3) -> np.ndarray:
    """Return labels uint8 [H, W]: a rectangle of each class above 0 on class 0, and a void line between."""
    labels = np.zeros((height, width), np.uint8)
    for label in range(1, classes):
        top, left = rng.integers(0, height - 12), rng.integers(0, width - 12)
        labels[top : top + 12, left : left + 12] = label
    labels[height // 2, : width // 3] = 255
    return labels


def pairs(count: int, seed: int = 0, prefix: str = "photo", classes: int = 3) -> list[Pair]:
    """Return examples of random scenes, whose images show their masks in noisy colors."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        labels = scene(rng, classes=classes)
        noise = rng.integers(0, 12, (*labels.shape, 3), np.uint8)
        made.append(Pair(f"{prefix} {index:03d} é.png", encoded(painted(labels) + noise), encoded(labels)))
    return made


def pairs_of_shapes(count: int, seed: int = 0, prefix: str = "photo") -> list[Pair]:
    """Return examples like `pairs`, wide, tall and as wide as tall, of several sizes."""
    shapes = [(40, 48), (90, 40), (40, 90), (32, 48), (64, 96), (31, 47), (20, 24)]
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        labels = scene(rng, *shapes[index % len(shapes)])
        noise = rng.integers(0, 12, (*labels.shape, 3), np.uint8)
        made.append(Pair(f"{prefix} {index:03d} é.png", encoded(painted(labels) + noise), encoded(labels)))
    return made


def write_raw(raw: Path, splits: dict[str, list[Pair]], about: Source | None = None, files: int = 2) -> Source:
    """Write each split into `files` TFRecord files, and source.json; an empty split has no files."""
    about = about or source(splits={role: role for role in splits})
    folder = Path(raw) / about.name / about.version
    folder.mkdir(parents=True, exist_ok=True)
    infos = []
    for split, examples in splits.items():
        parts = np.array_split(np.arange(len(examples)), files)
        infos.append({"name": split, "shardLengths": [str(len(part)) for part in parts]})
        for number, part in enumerate(parts):
            data = b"".join(frame(_example(examples[index], about)) for index in part)
            if data:
                (folder / f"{about.name}-{split}.tfrecord-{number:05d}-of-{files:05d}").write_bytes(data)
    write_json(folder / "dataset_info.json", {"name": about.name, "version": about.version, "splits": infos})
    write_source(raw, about)
    write_sums(Path(raw))
    return about


def _example(pair: Pair, about: Source) -> bytes:
    return encode_example(
        {about.image_feature: pair.image, about.mask_feature: pair.mask, "file_name": pair.name.encode(), "id": 7}
    )
