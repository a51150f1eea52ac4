"""The canonical copy of a prepared TFDS data set, whose bytes depend only on the examples.

TFDS itself writes the features of an example in the order of a hash map, and records the time and the origin of the
data set. The copy has each example's features in the order of their keys, a fixed number of examples in a file, and a
dataset_info.json that lists only the splits.
"""

import functools
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf.message import DecodeError

from maskline.contracts.classes import Role
from maskline.contracts.source import Source
from maskline.datasets.groups import held_out_groups
from maskline.datasets.regular import require_regular
from maskline.errors import InputError
from maskline.files.artifacts import write_bytes, write_json

EXAMPLES_PER_FILE = 256
_AGAIN = "prepare the data set again"

GroupsOf = Callable[[list[str]], list[str]]  # the group of each file name


def copy(
    prepared: tfds.core.DatasetBuilder,
    raw: Path,
    source: Source,
    seed: int,
    test_fraction: float,
    groups_of: GroupsOf | None = None,
) -> dict[Role, list[str]]:
    """Write the splits of `source` to `raw/<name>/<version>`, loadable by `tfds.builder_from_directory`.

    If the data set has no test split, one is held out of train by a hash of the seed and each example's name, or of the
    seed and each group's.

    Returns:
        The group of each example, by split and in order; empty without `groups_of`.

    Raises:
        InputError: a file is damaged or short, a record is not an example with an image and a mask, a split is empty,
            an example has no group, or there are too few groups.
    """
    folder = Path(raw) / source.name / source.version
    folder.mkdir(parents=True)
    known = prepared.info.splits
    roles: dict[str, Callable[[], Iterable[bytes]]] = {
        split: functools.partial(_examples, prepared, split, source) for split in source.splits.values()
    }
    groups: dict[Role, list[str]] = {}
    if groups_of is not None:
        names = {role: _names(roles[split](), source) for role, split in source.splits.items() if split in known}
        groups = {role: groups_of(of_split) for role, of_split in names.items()}
    if "test" not in known:
        if groups:
            held = held_out_groups(groups["train"], seed, test_fraction, left=1 if "validation" in known else 2)
            groups["test"] = [group for group, is_held in zip(groups["train"], held, strict=True) if is_held]
            groups["train"] = [group for group, is_held in zip(groups["train"], held, strict=True) if not is_held]
        else:
            held = _held_out(roles["train"](), source.filename_feature, seed, test_fraction)
        if not 0 < sum(held) < len(held):
            raise InputError(f"{source.name} has {len(held)} images, too few to hold a test split out; add images.")
        roles["test"] = lambda: _where(_examples(prepared, "train", source), held, True)
        roles["train"] = lambda: _where(_examples(prepared, "train", source), held, False)
    splits = [_write_split(folder, source.name, split, roles[split]()) for split in sorted(roles)]
    info = {"fileFormat": "tfrecord", "name": source.name, "splits": splits, "version": source.version}
    write_json(folder / "dataset_info.json", info)
    _copy_features(Path(prepared.data_dir), folder)
    return groups


def _names(examples: Iterable[bytes], source: Source) -> list[str]:
    if source.filename_feature is None:
        raise InputError(f"{source.name} stores no file names, which dataset.group needs; set dataset.group to null.")
    return [_name(example, source.filename_feature, i) for i, example in enumerate(examples)]


def _copy_features(prepared: Path, folder: Path) -> None:
    features = json.loads((prepared / "features.json").read_bytes())
    write_bytes(folder / "features.json", (json.dumps(features, indent=2, sort_keys=True) + "\n").encode())
    for labels in sorted(prepared.glob("*.labels.txt")):
        shutil.copyfile(labels, folder / labels.name)


def _examples(prepared: tfds.core.DatasetBuilder, split: str, source: Source) -> Iterator[bytes]:
    """Yield a split's examples in order, each serialized with its keys in order."""
    info = prepared.info.splits[split]
    for path, length in zip(info.filepaths, info.shard_lengths, strict=True):
        count = 0
        for record in _records(Path(path)):
            count += 1
            yield _canonical(record, source, f"record {count} of {path}")
        if count != length:
            raise InputError(f"{path} must hold {length} records by dataset_info.json; {_AGAIN}. Received: {count}")


def _records(path: Path) -> Iterator[bytes]:
    count = 0
    require_regular(path)
    try:
        _check_lengths(path)
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            yield record
    except (tf.errors.DataLossError, tf.errors.NotFoundError, FileNotFoundError):
        raise InputError(f"{path} is damaged or missing after record {count}; {_AGAIN}.") from None


def _check_lengths(path: Path) -> None:
    """Refuse a record that ends after its file: TensorFlow would first reserve memory for it, however much that is."""
    size, position = os.stat(path).st_size, 0
    with open(path, "rb") as file:
        while len(header := file.read(8)) == 8:
            position += struct.unpack("<Q", header)[0] + 16
            if position > size:
                raise InputError(f"{path} is damaged: it ends inside a record at byte {size}; {_AGAIN}.")
            file.seek(position)


def _canonical(record: bytes, source: Source, where: str) -> bytes:
    """Return a record's example with its keys in order.

    Raises:
        InputError: the record is not an example, lacks the image, the mask or the name, or its name is not UTF-8.
    """
    try:
        example = tf.train.Example.FromString(record)
    except DecodeError:
        raise InputError(f"{where} is not a tf.train.Example; {_AGAIN}.") from None
    example.DiscardUnknownFields()
    features = example.features.feature
    for name in filter(None, (source.image_feature, source.mask_feature, source.filename_feature)):
        if name not in features or len(features[name].bytes_list.value) != 1:
            raise InputError(f"{where} has no single value {name!r}; {_AGAIN}. Received: {', '.join(sorted(features))}")
    if source.filename_feature:
        try:
            features[source.filename_feature].bytes_list.value[0].decode()
        except UnicodeDecodeError:
            raise InputError(f"{where} has a {source.filename_feature} that is not UTF-8; {_AGAIN}.") from None
    return example.SerializeToString(deterministic=True)


def _held_out(examples: Iterable[bytes], name: str | None, seed: int, fraction: float) -> list[bool]:
    """Return whether each example is held out: a fraction of all, at least one, those with the lowest hashes."""
    hashes = [_hash(f"{seed}/{_name(example, name, i)}") for i, example in enumerate(examples)]
    held = set(sorted(hashes)[: max(1, round(fraction * len(hashes)))])
    return [value in held for value in hashes]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _name(example: bytes, feature: str | None, index: int) -> str:
    if feature is None:
        return str(index)
    return tf.train.Example.FromString(example).features.feature[feature].bytes_list.value[0].decode()


def _where(examples: Iterable[bytes], held: list[bool], wanted: bool) -> Iterator[bytes]:
    return (example for example, is_held in zip(examples, held, strict=True) if is_held is wanted)


def _write_split(folder: Path, name: str, split: str, examples: Iterable[bytes]) -> dict:
    """Write the files of a split, and return its entry for dataset_info.json."""
    lengths: list[int] = []
    size, writer = 0, None
    for i, example in enumerate(examples):
        if writer is None or i % EXAMPLES_PER_FILE == 0:
            if writer:
                writer.close()
            writer = tf.io.TFRecordWriter(str(folder / f"{split}-{len(lengths)}"))
            lengths.append(0)
        writer.write(example)
        lengths[-1] += 1
        size += len(example)
    if writer is None:
        raise InputError(f"split {split} of {name} holds no image; add some, or remove the split.")
    writer.close()
    for i in range(len(lengths)):
        (folder / f"{split}-{i}").rename(folder / f"{name}-{split}.tfrecord-{i:05d}-of-{len(lengths):05d}")
    return {
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        "name": split,
        "numBytes": str(size),
        "shardLengths": [str(length) for length in lengths],
    }
