"""Random access to a split's examples, which are read from the shards directly into the batch to save memory."""

import io
import os
import resource
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from maskline.contracts.classes import Role
from maskline.contracts.fit import Part, Size, middle
from maskline.contracts.manifest import Manifest, Shard, Split
from maskline.errors import ArtifactError
from maskline.files.digests import has_sha256
from maskline.shards.example import CONTENT, IMAGE, LABELS, NAME, decoded
from maskline.shards.tfrecord import bytes_features, integer_features, read_record, records

_OPEN_FILES = 128  # at most, in each reader


def _fresh(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.uint8)


def _open_files() -> int:
    """Return how many shards a reader keeps open: a quarter of what the process may open, as others open files too."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _OPEN_FILES if limit == resource.RLIM_INFINITY else max(1, min(_OPEN_FILES, limit // 4))


def shards_with(split: Split, images: range) -> tuple[list[Shard], int]:
    """Return the shards that hold the images at some positions of a split, and the position of their first image."""
    found: list[Shard] = []
    first = end = 0
    for shard in split.shards:
        start, end = end, end + shard.examples
        if start < images.stop and images.start < end:
            first = first if found else start
            found.append(shard)
    return found, first


class ShardReader:
    """The examples of one split, checked against the manifest when the reader is created.

    Args:
        folder: the shards and their manifest.
        manifest: the folder's manifest.
        role: the split.
        images: the positions in the split of the examples to read; only their shards are opened. None: all.

    Attributes:
        size: height and width of images and masks; pixels.
        pixels: of each class in the whole split.
        names: each example's file name, in the shards' order.

    Raises:
        ArtifactError: a shard is missing, or differs from the manifest's record of it.
    """

    def __init__(self, folder: Path, manifest: Manifest, role: Role, images: range | None = None) -> None:
        split = manifest.splits[role]
        images = range(split.examples) if images is None else images
        shards, first = shards_with(split, images)
        self.size = (manifest.height, manifest.width)
        self.pixels = split.pixels
        self._is_compressed = manifest.encoding != "raw"
        self._paths = [Path(folder) / shard.file for shard in shards]
        self.names: list[str] = []
        contents: list[Size] = []
        places: list[tuple[int, int, int, int, int]] = []
        for number, (path, shard) in enumerate(zip(self._paths, shards, strict=True)):
            _check(path, shard)
            before = len(self.names)
            with open(path, "rb") as file:
                for record in records(path):
                    data = read_record(file, record)
                    features = bytes_features(data)
                    self.names.append(data[features[NAME]].decode())
                    image, labels = features[IMAGE], features[LABELS]
                    if not (self._fits(data[image], 3) and self._fits(data[labels], 1)):
                        raise ArtifactError(
                            path,
                            f"does not hold the {self.size[0]}x{self.size[1]} {manifest.encoding} images "
                            "that the manifest records",
                        )
                    contents.append(_content(data, path) if manifest.fit == "pad" else self.size)
                    start = record.offset
                    places.append(
                        (
                            number,
                            start + image.start,
                            image.stop - image.start,
                            start + labels.start,
                            labels.stop - labels.start,
                        )
                    )
            if len(self.names) - before != shard.examples:
                raise ArtifactError(
                    path,
                    f"holds {len(self.names) - before} examples, but the manifest records {shard.examples}",
                )
        part = slice(images.start - first, images.stop - first)
        self.names = self.names[part]
        self._contents = np.array(contents, np.int32)[part]
        self._places = np.array(places, np.int64)[part]
        self._open = lru_cache(maxsize=_open_files())(self._open_shard)

    def _fits(self, data: bytes, channels: int) -> bool:
        height, width = self.size
        if not self._is_compressed:
            return len(data) == height * width * channels
        try:
            image = Image.open(io.BytesIO(data))
        except UnidentifiedImageError:
            return False
        return image.size == (width, height) and len(image.getbands()) == channels

    def _open_shard(self, number: int) -> BinaryIO:
        try:
            return open(self._paths[number], "rb")
        except FileNotFoundError:
            raise ArtifactError(self._paths[number], "was removed while it was read") from None

    def __len__(self) -> int:
        return len(self._places)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what `read` needs: without names, which are large, and without open files."""
        kept = ("size", "_is_compressed", "_paths", "_places")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open = lru_cache(maxsize=_open_files())(self._open_shard)

    def content(self, index: int) -> Part:
        """Return the rows and columns of an example that are not padding."""
        height, width = self._contents[index].tolist()
        return middle(self.size, (height, width))

    def read(
        self, indices: Sequence[int] | np.ndarray, empty: Callable[[tuple[int, ...]], np.ndarray] = _fresh
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return images uint8 [N, H, W, 3] and labels uint8 [N, H, W] (void is 255) of the examples at `indices`.

        Args:
            empty: returns a uint8 array of a given shape to read into.

        Raises:
            ArtifactError: a shard was truncated or removed after it was opened.
        """
        images, labels = empty((len(indices), *self.size, 3)), empty((len(indices), *self.size))
        for place, image, mask in zip(self._places[indices].tolist(), images, labels, strict=True):
            self._read_into(image, mask, *place)
        return images, labels

    def _read_into(
        self, image: np.ndarray, mask: np.ndarray, number: int, at: int, length: int, mask_at: int, mask_length: int
    ) -> None:
        between = bytearray(mask_at - at - length)
        file = self._open(number)  # a reference, because another thread may evict it from the cache
        if self._is_compressed:
            parts = bytearray(length), bytearray(mask_length)
            read = os.preadv(file.fileno(), [parts[0], between, parts[1]], at)
        else:
            read = os.preadv(file.fileno(), [image.data, between, mask.data], at)
        if read < mask_at + mask_length - at:
            raise ArtifactError(self._paths[number], "was truncated while it was read")
        if self._is_compressed:
            image[...], mask[...] = decoded(*parts)


def _content(data: bytes, path: Path) -> Size:
    """Return the size of a padded image without its padding."""
    sizes = integer_features(data)
    if not sizes.keys() >= set(CONTENT):
        raise ArtifactError(path, "does not hold the padded images that the manifest records")
    return sizes[CONTENT[0]], sizes[CONTENT[1]]


def _check(path: Path, shard: Shard) -> None:
    if not path.exists():
        raise ArtifactError(path, "is missing, but the manifest lists it")
    size = path.stat().st_size
    if size != shard.bytes:
        raise ArtifactError(path, f"holds {size} bytes, but the manifest records {shard.bytes}")
    if not has_sha256(path, shard.sha256):
        raise ArtifactError(path, "is not the file the manifest records: its SHA-256 differs")
