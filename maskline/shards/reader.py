"""Random access to a split's examples, read from the shards into the batch itself, so that memory stays small."""

import hashlib
import io
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from maskline.classes import Role
from maskline.errors import InputError
from maskline.shards.manifest import Manifest, Shard
from maskline.shards.tfrecord import bytes_features, read_record, records

_OPEN_FILES = 128
_IMAGE, _MASK, _NAME = "image/encoded", "image/segmentation/class/encoded", "image/filename"


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
            with open(path, "rb") as file:
                for record in records(path):
                    data = read_record(file, record)
                    features = bytes_features(data)
                    self.names.append(data[features[_NAME]].decode())
                    image, mask = features[_IMAGE], features[_MASK]
                    at = record.offset
                    places.append(
                        (number, at + image.start, image.stop - image.start, at + mask.start, mask.stop - mask.start)
                    )
        self._places = np.array(places, np.int64)
        self._open = lru_cache(maxsize=_OPEN_FILES)(self._open_shard)

    def _open_shard(self, number: int) -> BinaryIO:
        return open(self._paths[number], "rb")

    def __len__(self) -> int:
        return len(self.names)

    def read(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return images uint8 [N, H, W, 3] and labels uint8 [N, H, W] (void is 255) of the examples at `indices`."""
        images = np.empty((len(indices), *self.size, 3), np.uint8)
        labels = np.empty((len(indices), *self.size), np.uint8)
        for index, image, mask in zip(indices, images, labels, strict=True):
            number, *place = self._places[index].tolist()
            file = self._open(number)
            self._read_into(image, file.fileno(), *place[:2])
            self._read_into(mask, file.fileno(), *place[2:])
        return images, labels

    def _read_into(self, array: np.ndarray, descriptor: int, offset: int, length: int) -> None:
        if self._raw:
            os.preadv(descriptor, [array], offset)
        else:
            array[...] = np.asarray(Image.open(io.BytesIO(os.pread(descriptor, length, offset))))


def _check(path: Path, shard: Shard) -> None:
    remedy = "delete the folder and run `dvc checkout` or `dvc repro --force preprocess`"
    if not path.exists():
        raise InputError(f"{path} is missing, but the manifest lists it; {remedy}.")
    size = path.stat().st_size
    if size != shard.bytes:
        raise InputError(f"{path} holds {size} bytes, but the manifest records {shard.bytes}; {remedy}.")
    with open(path, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
            raise InputError(f"{path} is not the file the manifest records (SHA-256 and CRC differ); {remedy}.")
