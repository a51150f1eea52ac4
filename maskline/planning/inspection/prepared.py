"""The examples of data sets that are not folders of files: prepared by TFDS, or drawn by the project."""

from functools import partial
from pathlib import Path

from maskline.contracts.classes import VOID
from maskline.datasets.catalogue import SOURCES
from maskline.datasets.sources import drawing, shapes
from maskline.errors import InputError
from maskline.files.artifacts import stored_png
from maskline.planning.inspection.examples import SPLITS, Example, Listing
from maskline.shards.tfrecord import Record, bytes_features, read_record, records


def list_prepared(source: str, folder: Path) -> Listing:
    """Return the examples of a prepared copy of a source; only the place of each record is read.

    Raises:
        InputError: a file is damaged.
    """
    splits = {}
    for split in SPLITS:
        files = sorted(folder.glob(f"*-{split}.tfrecord-*"))
        found = [record for file in files for record in records(file)]
        if found:
            splits[split] = [_of_record(record, f"{split}-{i:08d}") for i, record in enumerate(found)]
    if "train" not in splits:
        raise InputError(f"{folder} has no TFRecord file of a split train; prepare the data set again.")
    return Listing(splits, SOURCES[source].table, other_files=tuple(sorted(folder.glob("*.tfrecord-*"))))


def _of_record(record: Record, name: str) -> Example:
    image, mask = (partial(_feature, record, key) for key in ("image", "segmentation_mask"))
    return Example(name, image, mask)


def _feature(record: Record, key: str) -> bytes:
    with open(record.path, "rb") as file:
        data = read_record(file, record)
    found = bytes_features(data)
    if key not in found:
        raise InputError(f"{record.path} has no feature {key!r} at byte {record.offset}; prepare the data set again.")
    return data[found[key]]


def list_shapes() -> Listing:
    """Return the examples of shapes, which are drawn when they are read."""
    splits = {
        split: [
            Example(f"{split}_{i:04d}.png", partial(_picture, number, i), partial(_labels, number, i))
            for i in range(count)
        ]
        for number, (split, count) in enumerate(shapes.SPLITS.items())
    }
    assert VOID == drawing.VOID
    return Listing(splits, SOURCES["shapes"].table)


def _picture(split: int, index: int) -> bytes:
    return stored_png(drawing.draw(split, index)[0])


def _labels(split: int, index: int) -> bytes:
    return stored_png(drawing.draw(split, index)[1])
