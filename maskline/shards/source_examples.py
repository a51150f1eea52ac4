"""The examples that download prepared: their place in the files, their encoded features and their names."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from maskline.contracts.classes import Role
from maskline.contracts.source import Source
from maskline.engine.staging import LOCAL, Area
from maskline.errors import ArtifactError, InputError
from maskline.shards.tfrecord import FOOTER, Record, bytes_features, checked, records


class SourceExample(NamedTuple):
    """An example of the source: its record, its TFDS split, and its position there."""

    record: Record
    split: str
    position: int


def list_examples(raw: Path, source: Source, role: Role) -> list[SourceExample]:
    """Return the examples of a role's split in the folder `raw`, in order.

    Raises:
        ArtifactError: a file is damaged.
    """
    listed = [record for file in source.files(raw, role) for record in records(file)]
    return [SourceExample(record, source.splits[role], position) for position, record in enumerate(listed)]


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
