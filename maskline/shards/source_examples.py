"""The examples that download prepared: their place in the files, their encoded features and their names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from maskline.contracts.classes import Role
from maskline.contracts.source import Source
from maskline.engine.staging import LOCAL, Area
from maskline.errors import ArtifactError, InputError
from maskline.shards.tfrecord import FOOTER, Record, bytes_features, checked, record_places


class SourceExample(NamedTuple):
    """An example of the source: its record, its TFDS split, and its position there."""

    record: Record
    split: str
    position: int


_PLACE = np.dtype([("file", np.int32), ("position", np.int32), ("offset", np.int64), ("length", np.int64)])


@dataclass(frozen=True, eq=False)
class Examples(Sequence[SourceExample]):
    """Examples of the source in arrays, 24 bytes for each, because a data set can have millions.

    Attributes:
        files: TFRecord files.
        splits: the TFDS split of each file.
        places: structured [N]: the index of an example's file, its position in the split, and the offset and length
            of its record's data, in bytes.
    """

    files: tuple[str, ...]
    splits: tuple[str, ...]
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, key: int) -> SourceExample: ...

    @overload
    def __getitem__(self, key: slice | np.ndarray) -> "Examples": ...

    def __getitem__(self, key: int | slice | np.ndarray) -> "SourceExample | Examples":
        """Return one example, or those of a slice, of indices or of a mask; a slice shares the memory."""
        if isinstance(key, slice | np.ndarray):
            return Examples(self.files, self.splits, self.places[key])
        return self._example(*self.places[key].tolist())

    def __iter__(self) -> Iterator[SourceExample]:
        return (self._example(*place.tolist()) for place in self.places)

    def _example(self, file: int, position: int, offset: int, length: int) -> SourceExample:
        return SourceExample(Record(self.files[file], offset, length), self.splits[file], position)

    def __reduce__(self) -> tuple[type["Examples"], tuple[tuple[str, ...], tuple[str, ...], np.ndarray]]:
        """Pickle the files that the examples need alone, so that a task is small."""
        places = self.places.copy()
        used, places["file"] = np.unique(places["file"], return_inverse=True)
        return Examples, (tuple(self.files[i] for i in used), tuple(self.splits[i] for i in used), places)


def list_examples(raw: Path, source: Source, role: Role) -> Examples:
    """Return the examples of a role's split in the folder `raw`, in order.

    Raises:
        ArtifactError: a file is damaged.
    """
    files = source.files(raw, role)
    found = [record_places(file) for file in files]
    places = np.empty(sum(map(len, found)), _PLACE)
    places["file"] = np.repeat(np.arange(len(files)), [len(of_file) for of_file in found])
    places["position"] = np.arange(len(places))
    if found:
        places["offset"], places["length"] = np.concatenate(found).T
    return Examples(tuple(map(str, files)), (source.splits[role],) * len(files), places)


def joined(parts: Iterable[Examples]) -> Examples:
    """Return the examples of all parts, in order."""
    listed = list(parts)
    starts = np.cumsum([0, *(len(part.files) for part in listed)])
    places = np.concatenate([part.places for part in listed])
    places["file"] += np.repeat(starts[:-1], [len(part) for part in listed]).astype(np.int32)
    files = tuple(file for part in listed for file in part.files)
    return Examples(files, tuple(split for part in listed for split in part.splits), places)


def read_features(
    examples: Sequence[SourceExample], source: Source, area: Area = LOCAL
) -> Iterator[tuple[SourceExample, dict[str, bytes]]]:
    """Yield each example with its bytes features; `area` holds the files.

    Raises:
        ArtifactError: a record is damaged or not an example.
        InputError: a record lacks the image or the mask.
    """
    for path, of_file in groupby(examples, lambda example: example.record.path):
        listed = list(of_file)
        ranges = [(example.record.offset, example.record.length + FOOTER) for example in listed]
        for example, data in zip(listed, area.read(path, ranges), strict=True):
            features = _features(checked(data, example.record), example)
            for feature in (source.image_feature, source.mask_feature):
                if feature not in features:
                    raise InputError(
                        f"{path} has no encoded image in the feature {feature}; correct dataset.image_feature or "
                        f"dataset.mask_feature. Received: {', '.join(sorted(features))}"
                    )
            yield example, features


def _features(data: bytes, example: SourceExample) -> dict[str, bytes]:
    try:
        return {key: data[place] for key, place in bytes_features(data).items()}
    except ValueError as error:
        raise _no_example(example, error) from None


def _no_example(example: SourceExample, error: ValueError) -> ArtifactError:
    offset = example.record.offset
    return ArtifactError(example.record.path, f"is damaged: the record at byte {offset} is not an example ({error})")


def example_name(example: SourceExample, features: dict[str, bytes], source: Source) -> str:
    """Return the example's file name, or its split and position if the source stores no name.

    Raises:
        ArtifactError: the name is not UTF-8.
    """
    if source.filename_feature in features:
        try:
            return features[source.filename_feature].decode()
        except UnicodeDecodeError as error:
            raise _no_example(example, error) from None
    return f"{example.split}-{example.position:08d}"
