"""The examples that download prepared: their place in the files, their encoded features and their names."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.contracts.classes import Role
from maskline.contracts.source import Source
from maskline.errors import ArtifactError, InputError
from maskline.shards.tfrecord import Record, bytes_features, read_record, records


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
    examples: Sequence[SourceExample], source: Source
) -> Iterator[tuple[SourceExample, dict[str, bytes]]]:
    """Yield each example with its bytes features, keeping the last file open.

    Raises:
        ArtifactError: a record is damaged or not an example.
        InputError: a record lacks the image or the mask.
    """
    path, file = None, None
    try:
        for example in examples:
            if file is None or example.record.path != path:
                if file:
                    file.close()
                path, file = example.record.path, open(example.record.path, "rb")  # noqa: SIM115
            data = read_record(file, example.record)
            features = _features(data, example)
            for feature in (source.image_feature, source.mask_feature):
                if feature not in features:
                    raise InputError(
                        f"{path} has no encoded image in the feature {feature}; correct dataset.image_feature or "
                        f"dataset.mask_feature. Received: {', '.join(sorted(features))}"
                    )
            yield example, features
    finally:
        if file:
            file.close()


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
