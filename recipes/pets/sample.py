"""Make the sample of Oxford-IIIT Pet that the recipe is certified on: the 356 train and 84 test images of sample.txt.

The first folder holds the whole data set as TFDS prepares it. The second gets the sample in the same form:

    python recipes/pets/sample.py ~/tensorflow_datasets pets-sample
    TFDS_DATA_DIR=$PWD/pets-sample make repro FOLDER=recipes/pets
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # noqa: E402

from maskline.datasets.prepared import find_prepared  # noqa: E402
from maskline.errors import InputError  # noqa: E402
from maskline.files.artifacts import new_directory  # noqa: E402

NAME, VERSION = "oxford_iiit_pet", "4.0.0"


def wanted(listing: Path) -> dict[str, set[str]]:
    """Return the file names by split, from lines such as `train/Abyssinian_1.jpg`."""
    names: dict[str, set[str]] = {}
    for line in listing.read_text(encoding="utf-8").split():
        split, name = line.split("/")
        names.setdefault(split, set()).add(name)
    return names


def records(folder: Path, split: str, names: set[str]) -> Iterator[bytes]:
    """Yield the examples of a split that have one of the names, in the order of the data set."""
    files = sorted(str(path) for path in folder.glob(f"{NAME}-{split}.tfrecord-*"))
    for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
        if tf.train.Example.FromString(record).features.feature["file_name"].bytes_list.value[0].decode() in names:
            yield record


def write_sample(whole: Path, out: Path) -> None:
    """Write the sample to `out`, a new TFDS data directory.

    Raises:
        InputError: `whole` does not hold the data set, or lacks an image of the sample.
    """
    folder = find_prepared(whole, NAME, VERSION)
    if folder is None:
        raise InputError(f"{whole} does not hold {NAME} {VERSION} as TFDS prepares it; name its TFDS data directory.")
    info = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    with new_directory(out) as new:
        place = new / NAME / VERSION
        place.mkdir(parents=True)
        info["splits"] = [_split(folder, place, split, names) for split, names in wanted(HERE / "sample.txt").items()]
        (place / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
        for path in (folder / "features.json", *folder.glob("*.labels.txt")):
            shutil.copyfile(path, place / path.name)


def _split(folder: Path, place: Path, split: str, names: set[str]) -> dict[str, object]:
    """Write a split's file, and return its entry in dataset_info.json."""
    found = [*records(folder, split, names)]
    if len(found) != len(names):
        raise InputError(f"{folder} must hold the {len(names)} {split} images of sample.txt. Received: {len(found)}")
    with tf.io.TFRecordWriter(str(place / f"{NAME}-{split}.tfrecord-00000-of-00001")) as writer:
        for record in found:
            writer.write(record)
    return {
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        "name": split,
        "numBytes": str(sum(map(len, found))),
        "shardLengths": [str(len(found))],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("whole", type=Path, help="TFDS data directory that holds the whole data set")
    parser.add_argument("out", type=Path, help="new TFDS data directory for the sample")
    options = parser.parse_args()
    try:
        write_sample(options.whole, options.out)
    except InputError as error:
        sys.exit(f"sample.py: {error}")
