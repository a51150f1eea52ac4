"""The examples that download prepared: where they are, their encoded features, and their names."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.contracts.classes import Role
from maskline.contracts.source import Source
from maskline.errors import InputError
from maskline.shards.tfrecord import Record, bytes_features, read_record, records


class Raw(NamedTuple):
    """A raw example: its record, and its place in a TFDS split, which names it where no feature does."""

    record: Record
    split: str
    index: int


def raw_examples(raw: Path, source: Source, role: Role) -> list[Raw]:
    """Return the examples of a role's split, in order.

    Raises:
        InputError: a file is damaged.
    """
    places = [record for file in source.files(raw, role) for record in records(file)]
    return [Raw(record, source.splits[role], index) for index, record in enumerate(places)]


def read_features(raws: Sequence[Raw], source: Source) -> Iterator[tuple[Raw, dict[str, bytes]]]:
    """Yield each example with its bytes features, keeping the last file open.

    Raises:
        InputError: a record is damaged, or lacks the image or the mask.
    """
    path, file = None, None
    try:
        for raw in raws:
            if raw.record.path != path:
                if file:
                    file.close()
                path, file = raw.record.path, open(raw.record.path, "rb")  # noqa: SIM115
            data = read_record(file, raw.record)
            features = {key: data[place] for key, place in bytes_features(data).items()}
            for feature in (source.image_feature, source.mask_feature):
                if feature not in features:
                    raise InputError(
                        f"{path} has no encoded image under {feature}. Received: {', '.join(sorted(features))}; "
                        "correct dataset.image_feature or dataset.mask_feature."
                    )
            yield raw, features
    finally:
        if file:
            file.close()


def example_name(raw: Raw, features: dict[str, bytes], source: Source) -> str:
    """Return what the example is called: its file name, or its place where the source keeps none."""
    if source.filename_feature in features:
        return features[source.filename_feature].decode()
    return f"{raw.split}-{raw.index:08d}"
