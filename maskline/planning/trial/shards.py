"""Shards of synthetic images, in size and encoding as preprocess makes them."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from maskline.contracts.classes import ROLES, VOID, ClassInfo
from maskline.contracts.manifest import Manifest, Origin, Shard, Split, write_manifest
from maskline.params.preprocess import PreprocessParams
from maskline.shards.example import serialized
from maskline.shards.tfrecord import frame

_FILE = "synthetic.tfrecord"
_DISTINCT = 4  # images; the others repeat them
HELD_OUT = 3  # batches in the validation and the test split


def synthetic_manifest(params: PreprocessParams, classes: int, examples: int, shard: Shard | None = None) -> Manifest:
    """Return the manifest of synthetic shards, whose train split is one batch.

    Args:
        params: size and encoding.
        classes: their number.
        examples: images in a batch.
        shard: that file; None: it is not written yet.
    """
    shard = shard or Shard(file=_FILE, examples=examples, bytes=0, sha256="")
    pixels = [max(1, examples * params.height * params.width // classes)] * classes
    return Manifest(
        format=1,
        source=Origin(name="synthetic", version="1.0.0"),
        height=params.height,
        width=params.width,
        fit=params.fit,
        encoding=params.encoding,
        void_label=VOID,
        classes=[ClassInfo(name=f"class {label}", color=f"#{label:06x}") for label in range(classes)],
        splits={
            role: Split(
                examples=times * examples,
                pixels=pixels,
                images_with_class=[examples] * classes,
                void_pixels=0,
                shards=[shard] * times,
            )
            for role, times in zip(ROLES, (1, HELD_OUT, HELD_OUT), strict=True)
        },
    )


def write_synthetic(folder: Path, params: PreprocessParams, classes: int, examples: int) -> Manifest:
    """Write one shard, which serves as every split, and return its manifest."""
    rng = np.random.default_rng(0)
    size = params.height, params.width
    distinct = [_record(rng, size, classes, params, number) for number in range(min(_DISTINCT, examples))]
    digest, written = hashlib.sha256(), 0
    with open(folder / _FILE, "wb") as file:
        for number in range(examples):
            record = distinct[number % len(distinct)]
            written += file.write(record)
            digest.update(record)
    shard = Shard(file=_FILE, examples=examples, bytes=written, sha256=digest.hexdigest())
    manifest = synthetic_manifest(params, classes, examples, shard)
    write_manifest(folder, manifest)
    return manifest


def synthetic_example(rng: np.random.Generator, size: tuple[int, int], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image uint8 [H, W, 3] as smooth and as noisy as a photograph, and labels uint8 [H, W] of regions."""
    height, width = size
    small = max(1, height // 16), max(1, width // 16)
    smooth = cv2.resize(rng.integers(0, 256, (*small, 3)).astype(np.float32), (width, height))
    noise = 4.0 * rng.standard_normal((height, width, 3), np.float32)
    regions = rng.integers(0, classes, small).astype(np.uint8)
    image = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    return image, cv2.resize(regions, (width, height), interpolation=cv2.INTER_NEAREST)


def _record(
    rng: np.random.Generator, size: tuple[int, int], classes: int, params: PreprocessParams, number: int
) -> bytes:
    image, labels = synthetic_example(rng, size, classes)
    content = size if params.fit == "pad" else None
    return frame(serialized(Image.fromarray(image), labels, f"{number}.png", params.encoding, content))
