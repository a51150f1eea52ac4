"""What the shards earn: images per second from disk to shuffled batches, beside the ways of others.

Contestants take turns on the same CamVid images at the same size, each for whole epochs of batches as TensorFlow
tensors (image uint8 or float32 [B, H, W, 3], label [B, H, W]):

- files: decode and resize in tf.data in every epoch, as tutorials do, with and without a cache in memory;
- keras: keras.utils.image_dataset_from_directory, once for images and once for masks;
- torch: a DataLoader with two workers, Pillow; only where PyTorch is installed;
- memory map: ready pixels in one .npy file each, gathered by a shuffled index and turned into tensors;
- limit: the same bytes read in order, and one copy for each batch;
- maskline: `training_batches` from raw, png and jpeg shards, and from raw ones with flip or with all augmentation.

    python benchmarks/input.py --camvid .../CamVid
"""

import argparse
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from pipeline import run_stages  # noqa: E402

from maskline.params import AugmentParams  # noqa: E402
from maskline.shards.augment import augmentation  # noqa: E402
from maskline.shards.batches import steps_per_epoch, training_batches  # noqa: E402
from maskline.shards.manifest import read_manifest  # noqa: E402
from maskline.shards.reader import ShardReader  # noqa: E402

BATCH = 16
NONE = {"flip": False, "scale": 0.0, "rotation": 0.0, "brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
FLIP = NONE | {"flip": True}
ALL = {"flip": True, "scale": 0.2, "rotation": 10.0, "brightness": 0.1, "contrast": 0.1, "saturation": 0.1}

Epoch = Callable[[int], Iterable]


class Contestant(NamedTuple):
    """A way to batches: `epoch` returns those of an epoch by its number; `disk` is what it reads, in bytes."""

    epoch: Epoch
    disk: int


def size_of(*paths: Path) -> int:
    """Return the bytes of files and of the files in folders."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file())


def from_files(folder: Path, size: tuple[int, int], cached: bool) -> Contestant:
    """Decode and resize in tf.data, as the tutorials do."""
    images, masks = ([str(p) for p in sorted((folder / kind).glob("*.png"))] for kind in ("train", "trainannot"))

    def load(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.image.resize(tf.io.decode_png(tf.io.read_file(image), 3), size)
        labels = tf.image.resize(tf.io.decode_png(tf.io.read_file(mask), 1), size, "nearest")
        return pixels, labels[..., 0]

    files = tf.data.Dataset.from_tensor_slices((images, masks))
    if cached:
        data = files.map(load, tf.data.AUTOTUNE).cache().shuffle(len(images))
    else:
        data = files.shuffle(len(images)).map(load, tf.data.AUTOTUNE)
    data = data.batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
    return Contestant(lambda _: data, size_of(folder / "train", folder / "trainannot"))


def from_keras(folder: Path, size: tuple[int, int]) -> Contestant:
    """Use Keras's own reader of folders, with one seed for images and masks."""

    def read(kind: str, mode: str, interpolation: str) -> tf.data.Dataset:
        return keras.utils.image_dataset_from_directory(
            folder / kind,
            labels=None,
            color_mode=mode,
            batch_size=BATCH,
            image_size=size,
            seed=1,
            interpolation=interpolation,
            verbose=False,
        )

    data = tf.data.Dataset.zip((read("train", "rgb", "bilinear"), read("trainannot", "grayscale", "nearest")))
    data = data.prefetch(tf.data.AUTOTUNE)
    return Contestant(lambda _: data, size_of(folder / "train", folder / "trainannot"))


def from_torch(folder: Path, size: tuple[int, int]) -> Contestant | None:
    """Use PyTorch's DataLoader with two workers, or None where it is not installed."""
    try:
        from torch.utils.data import DataLoader, Dataset
    except ImportError:
        return None
    from PIL import Image

    pairs = [(path, folder / "trainannot" / path.name) for path in sorted((folder / "train").glob("*.png"))]

    class Pairs(Dataset):
        def __len__(self) -> int:
            return len(pairs)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            image, mask = (Image.open(path) for path in pairs[index])
            shape = size[::-1]
            return np.asarray(image.resize(shape, Image.BILINEAR)), np.asarray(mask.resize(shape, Image.NEAREST))

    loader = DataLoader(Pairs(), BATCH, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    return Contestant(lambda _: loader, size_of(folder / "train", folder / "trainannot"))


def from_memory_map(work: Path, reader: ShardReader) -> Contestant:
    """Gather ready pixels from one file of images and one of labels, and turn them into tensors."""
    paths = [work / "images.npy", work / "labels.npy"]
    for path, array in zip(paths, reader.read(range(len(reader))), strict=True):
        np.save(path, array)
    images, labels = (np.load(path, mmap_mode="r") for path in paths)

    def epoch(number: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        order = np.random.default_rng(number).permutation(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            yield tf.constant(images[chosen]), tf.constant(labels[chosen])

    return Contestant(epoch, size_of(*paths))


def bare_limit(work: Path, reader: ShardReader) -> Contestant:
    """Read the bytes of the memory map in order, and copy each batch once."""
    height, width = reader.size
    path, length = work / "pixels", BATCH * height * width * 4
    images, labels = reader.read(range(len(reader)))
    path.write_bytes(images.tobytes() + labels.tobytes())

    def epoch(_: int) -> Iterator[bytes]:
        with open(path, "rb", buffering=0) as file:
            while len(data := file.read(length)) == length:
                yield bytearray(data)

    return Contestant(epoch, size_of(path))


def from_shards(shards: Path, augment: dict) -> Contestant:
    """Use the project's own input pipeline."""
    reader = ShardReader(shards, read_manifest(shards), "train")
    steps = steps_per_epoch(len(reader), BATCH)
    change = augmentation(AugmentParams.model_validate(augment))

    def epoch(number: int) -> tf.data.Dataset:
        return training_batches(reader, BATCH, change, 1, range(number * steps, (number + 1) * steps))

    return Contestant(epoch, size_of(*shards.glob("train-*")))


def contestants(camvid: Path, work: Path, size: tuple[int, int]) -> dict[str, Contestant]:
    """Return the contestants by name, whose files are made in `work`."""
    shards = {}
    for encoding in ("raw", "png", "jpeg"):
        changes = {
            "dataset.name": "camvid",
            "dataset.path": str(camvid),
            "preprocess.height": size[0],
            "preprocess.width": size[1],
            "preprocess.encoding": encoding,
        }
        run_stages(work / encoding, changes, ["download", "preprocess"])
        shutil.rmtree(work / encoding / "data/raw")
        shards[encoding] = work / encoding / "data/shards"
    raw = ShardReader(shards["raw"], read_manifest(shards["raw"]), "train")
    found = {
        "files, decoded and resized every epoch": from_files(camvid, size, cached=False),
        "the same, cached in memory": from_files(camvid, size, cached=True),
        "keras.utils from folders": from_keras(camvid, size),
        "torch DataLoader, 2 workers": from_torch(camvid, size),
        "NumPy memory map": from_memory_map(work, raw),
        "limit: read and copy": bare_limit(work, raw),
        **{f"maskline, {encoding}": from_shards(folder, NONE) for encoding, folder in shards.items()},
        "maskline, raw, flip": from_shards(shards["raw"], FLIP),
        "maskline, raw, all augmentation": from_shards(shards["raw"], ALL),
    }
    return {name: contestant for name, contestant in found.items() if contestant}


def timed(contestant: Contestant, epoch: int, images: int) -> tuple[float, float]:
    """Return images per second and CPU milliseconds an image of so many images or a little more."""
    seen, begun, used = 0, time.perf_counter(), cpu_seconds()
    while seen < images:
        for _ in contestant.epoch(epoch):
            seen += BATCH
        epoch += 1
    return seen / (time.perf_counter() - begun), 1000 * (cpu_seconds() - used) / seen


def cpu_seconds() -> float:
    """Return what this process and its ended children have used."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Let all take turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camvid", type=Path, required=True, help="CamVid in SegNet's form")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), help="height and width; default: 256 256")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--images", type=int, default=700, help="in each turn, or a little more; default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = contestants(options.camvid.resolve(), Path(folder), tuple(options.size))
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
        for number in range(options.rounds + 1):
            for name, contestant in found.items():
                result = timed(contestant, 100 * number, options.images)
                if number:  # the first round warms caches and traces
                    results[name].append(result)
        first = statistics.median(speed for speed, _ in next(iter(results.values())))
        print("\n| from disk to batches | images/s (lowest to highest) | of the first | CPU ms an image | MB on disk |")
        print("|---|---|---|---|---|")
        for name, rounds in results.items():
            speeds = sorted(speed for speed, _ in rounds)
            cpu = statistics.median(each for _, each in rounds)
            speed = statistics.median(speeds)
            print(
                f"| {name} | {speed:,.0f} ({speeds[0]:,.0f} to {speeds[-1]:,.0f}) | {speed / first:.1f} | {cpu:.2f} | "
                f"{found[name].disk / 1e6:.0f} |"
            )


if __name__ == "__main__":
    main()
