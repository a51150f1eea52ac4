"""The examples of data sets that are not folders of files: prepared by TFDS, or drawn by the project."""

import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from maskline.contracts.classes import VOID
from maskline.datasets.catalogue import SOURCES, entry_of
from maskline.datasets.prepared import read_prepared
from maskline.datasets.sources import drawing, shapes
from maskline.errors import InputError
from maskline.files.artifacts import stored_png
from maskline.planning.inspection.examples import SPLITS, Example, Listing
from maskline.shards.tfrecord import Record, bytes_features, read_record, records

_OF_MASKS = ("mask", "segmentation", "label", "annotation", "trimap")


class Features(NamedTuple):
    """The features of a prepared data set that hold the image and the mask."""

    image: str = "image"
    mask: str = "segmentation_mask"


def find_features(folder: Path) -> Features:
    """Return the features of a prepared data set by their names.

    Raises:
        InputError: the data set cannot be read, or has no two features of images.
    """
    info = read_prepared(folder).info
    images = [key for key, feature in info.features.items() if isinstance(feature, tfds.features.Image)]
    masks = [key for key in images if any(word in key.lower() for word in _OF_MASKS)]
    others = [key for key in images if key not in masks]
    if not masks or not others:
        raise InputError(
            f"{folder} has the image features {', '.join(images) or 'none'}, but an image and a mask "
            "such as segmentation_mask are needed; it cannot be used."
        )
    image = "image" if "image" in others else others[0]
    return Features(image, masks[0])


def list_prepared(source: str, folder: Path, features: Features) -> Listing:
    """Return the examples of a prepared copy of a source; only the place of each record is read.

    Raises:
        InputError: a file is damaged.
    """
    splits = {}
    for split in SPLITS:
        files = sorted(folder.glob(f"*-{split}.tfrecord-*"))
        found = [record for file in files for record in records(file)]
        if found:
            splits[split] = [_of_record(record, f"{split}-{i:08d}", features) for i, record in enumerate(found)]
    if "train" not in splits:
        raise InputError(f"{folder} has no TFRecord file of a split train; prepare the data set again.")
    return Listing(splits, entry_of(source).table, other_files=tuple(sorted(folder.glob("*.tfrecord-*"))))


def _of_record(record: Record, name: str, features: Features) -> Example:
    image, mask = (partial(_feature, record, key) for key in (features.image, features.mask))
    return Example(name, image, mask)


def _feature(record: Record, key: str) -> bytes:
    with open(record.path, "rb") as file:
        data = read_record(file, record)
    found = bytes_features(data)
    if key not in found:
        raise InputError(f"{record.path} has no feature {key!r} at byte {record.offset}; prepare the data set again.")
    return data[found[key]]


def list_shapes() -> Listing:
    """Return the examples of shapes, each of which is drawn when its image or its mask is first read."""
    draw = functools.cache(drawing.draw)
    splits = {
        split: [
            Example(f"{split}_{i:04d}.png", partial(_drawn, draw, number, i, 0), partial(_drawn, draw, number, i, 1))
            for i in range(count)
        ]
        for number, (split, count) in enumerate(shapes.SPLITS.items())
    }
    assert VOID == drawing.VOID
    return Listing(splits, SOURCES["shapes"].table)


def _drawn(draw: Callable[[int, int], tuple[np.ndarray, np.ndarray]], split: int, index: int, part: int) -> bytes:
    return stored_png(draw(split, index)[part])
