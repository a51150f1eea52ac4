"""Random access to a split's examples, read from the shards into the batch itself, so that memory stays small."""

import io
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from maskline.contracts.classes import Role
from maskline.contracts.manifest import Manifest, Shard
from maskline.errors import InputError
from maskline.files.checksums import digest
from maskline.shards.tfrecord import bytes_features, read_record, records

_OPEN_FILES = 128
_REMEDY = "delete the folder and run `dvc checkout` or `dvc repro --force preprocess`"
_IMAGE, _MASK, _NAME = "image/encoded", "image/segmentation/class/encoded", "image/filename"


def _fresh(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.uint8)


class ShardReader:
    """The examples of one split, checked against the manifest when opened.

    Args:
        folder: the shards and their manifest.
        manifest: the folder's manifest.
        role: the split.

    Attributes:
        size: height and width of images and masks; pixels.
        names: each example's file name, in the shards' order.

    Raises:
        InputError: a shard is missing, or its content is not what the manifest records.
    """

    def __init__(self, folder: Path, manifest: Manifest, role: Role) -> None:
        self.size = (manifest.height, manifest.width)
        self._raw = manifest.encoding == "raw"
        self._paths = [Path(folder) / shard.file for shard in manifest.splits[role].shards]
        self.names: list[str] = []
        places: list[tuple[int, int, int, int, int]] = []
        for number, (path, shard) in enumerate(zip(self._paths, manifest.splits[role].shards, strict=True)):
            _check(path, shard)
            before = len(self.names)
            with open(path, "rb") as file:
                for record in records(path):
                    data = read_record(file, record)
                    features = bytes_features(data)
                    self.names.append(data[features[_NAME]].decode())
                    image, mask = features[_IMAGE], features[_MASK]
                    if not (self._fits(data[image], 3) and self._fits(data[mask], 1)):
                        raise InputError(
                            f"{path} holds no {self.size[0]}x{self.size[1]} {manifest.encoding} images, "
                            f"but the manifest records them; {_REMEDY}."
                        )
                    at = record.offset
                    places.append(
                        (number, at + image.start, image.stop - image.start, at + mask.start, mask.stop - mask.start)
                    )
            if len(self.names) - before != shard.examples:
                raise InputError(
                    f"{path} holds {len(self.names) - before} examples, but the manifest records {shard.examples}; "
                    f"{_REMEDY}."
                )
        self._places = np.array(places, np.int64)
        self._open = lru_cache(maxsize=_OPEN_FILES)(self._open_shard)

    def _fits(self, data: bytes, channels: int) -> bool:
        height, width = self.size
        if self._raw:
            return len(data) == height * width * channels
        try:
            image = Image.open(io.BytesIO(data))
        except UnidentifiedImageError:
            return False
        return image.size == (width, height) and len(image.getbands()) == channels

    def _open_shard(self, number: int) -> BinaryIO:
        return open(self._paths[number], "rb")

    def __len__(self) -> int:
        return len(self.names)

    def read(
        self, indices: Sequence[int], empty: Callable[[tuple[int, ...]], np.ndarray] = _fresh
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return images uint8 [N, H, W, 3] and labels uint8 [N, H, W] (void is 255) of the examples at `indices`.

        Args:
            empty: makes a uint8 array of a shape, to read into.
        """
        images, labels = empty((len(indices), *self.size, 3)), empty((len(indices), *self.size))
        for place, image, mask in zip(self._places[indices].tolist(), images, labels, strict=True):
            self._read_into(image, mask, *place)
        return images, labels

    def _read_into(
        self, image: np.ndarray, mask: np.ndarray, number: int, at: int, length: int, mask_at: int, mask_length: int
    ) -> None:
        between = bytearray(mask_at - at - length)
        file = self._open(number)  # held here, for another thread may put its own in the cache
        if self._raw:
            read = os.preadv(file.fileno(), [image, between, mask], at)
        else:
            parts = bytearray(length), bytearray(mask_length)
            read = os.preadv(file.fileno(), [parts[0], between, parts[1]], at)
        if read < mask_at + mask_length - at:
            raise InputError(f"a shard became shorter while it was read; {_REMEDY}.")
        if not self._raw:
            image[...], mask[...] = _decoded(*parts)


def read_example(path: Path, index: int, manifest: Manifest) -> tuple[np.ndarray, np.ndarray]:
    """Return image uint8 [H, W, 3] and labels uint8 [H, W] of a shard's example; no other is read, nothing checked."""
    record = next(islice(records(path), index, None))
    with open(path, "rb") as file:
        data = read_record(file, record)
    features = bytes_features(data)
    image, mask = data[features[_IMAGE]], data[features[_MASK]]
    if manifest.encoding != "raw":
        return _decoded(image, mask)
    size = (manifest.height, manifest.width)
    return np.frombuffer(image, np.uint8).reshape(*size, 3), np.frombuffer(mask, np.uint8).reshape(size)


def _decoded(image: bytes | bytearray, mask: bytes | bytearray) -> tuple[np.ndarray, np.ndarray]:
    return (
        cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB),
        cv2.imdecode(np.frombuffer(mask, np.uint8), cv2.IMREAD_UNCHANGED),
    )


def _check(path: Path, shard: Shard) -> None:
    if not path.exists():
        raise InputError(f"{path} is missing, but the manifest lists it; {_REMEDY}.")
    size = path.stat().st_size
    if size != shard.bytes:
        raise InputError(f"{path} holds {size} bytes, but the manifest records {shard.bytes}; {_REMEDY}.")
    if digest(path) != shard.sha256:
        raise InputError(f"{path} is not the file the manifest records (its SHA-256 differs); {_REMEDY}.")
