"""Images per second from disk to shuffled batches, compared with other input pipelines.

All pipelines take turns on the same images at the same size, in batches of 16 as TensorFlow tensors, or PyTorch's own.
Each has one iterator over many epochs, as in training; batches that were prefetched between two turns are consumed
before the clock starts. Resident memory is measured for each pipeline in its own process: its peak, less the memory
after the imports.

- files: decode and resize in tf.data in every epoch, as tutorials do; with a cache in memory; and from a TFDS data set;
- keras: keras.utils.image_dataset_from_directory, once for images and once for masks;
- torch: a DataLoader with two workers and Pillow, if PyTorch is installed;
- memory map: decoded pixels in one .npy file each for images and labels, gathered by a shuffled index into tensors;
- limit: the same bytes read in order, with one copy for each batch;
- maskline: `training_batches` from raw, png and jpeg shards, and from raw ones with flip or with all augmentation.

    python benchmarks/input.py
    python benchmarks/input.py --dataset camvid --path .../CamVid
    TFDS_DATA_DIR=... python benchmarks/input.py --dataset oxford_iiit_pet
"""

import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import psutil  # noqa: E402
import tensorflow as tf  # noqa: E402
from pipeline import AUGMENTATIONS, augment_params, run_stages, write_files  # noqa: E402
from rounds import ratio, spread  # noqa: E402

from maskline.contracts.manifest import read_manifest  # noqa: E402
from maskline.contracts.source import read_source  # noqa: E402
from maskline.shards.read.augment import augmentation  # noqa: E402
from maskline.shards.read.batches import training_batches  # noqa: E402
from maskline.shards.read.reader import ShardReader  # noqa: E402

BATCH = 16
AHEAD = 16  # batches consumed before a turn, more than any pipeline prefetches
NONE = {"flip": False}
FLIP = {"flip": True}


class Work(NamedTuple):
    """A folder with the files that the pipelines read, images, masks and shards by encoding; and the images' size."""

    folder: Path
    size: tuple[int, int]

    @property
    def images(self) -> Path:
        """The folder of encoded images."""
        return self.folder / "images"

    @property
    def masks(self) -> Path:
        """The folder of encoded masks."""
        return self.folder / "masks"

    @property
    def raw(self) -> Path:
        """The data set as download prepared it."""
        return self.folder / "raw" / "data/raw"

    def pairs(self) -> tuple[list[str], list[str]]:
        """Return the paths of images and masks, in one order."""
        return tuple([str(path) for path in sorted(folder.iterdir())] for folder in (self.images, self.masks))

    def shards(self, encoding: str) -> Path:
        """Return the folder of the shards of an encoding."""
        return self.folder / encoding / "data/shards"

    def reader(self, encoding: str) -> ShardReader:
        """Open the train shards of an encoding."""
        folder = self.shards(encoding)
        return ShardReader(folder, read_manifest(folder), "train")


class Contestant(NamedTuple):
    """An input pipeline: an endless iterator over batches, and the bytes per image on disk."""

    batches: Iterator
    disk: float


def bytes_an_image(images: int, *paths: Path) -> float:
    """Return the bytes per image of files and of all files in folders."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file()) / images


def resized(image: tf.Tensor, mask: tf.Tensor, size: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Resize as the tutorials do."""
    return tf.image.resize(image, size), tf.image.resize(mask, size, "nearest")[..., 0]


def endless(examples: tf.data.Dataset, load: Callable, count: int, cached: bool) -> Iterator:
    """Shuffle, load and batch forever, or load once, cache, shuffle and batch."""
    if cached:
        data = examples.map(load, tf.data.AUTOTUNE).cache().shuffle(count)
    else:
        data = examples.shuffle(count).map(load, tf.data.AUTOTUNE)
    return iter(data.batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE).repeat())


def from_files(work: Work, cached: bool) -> Contestant:
    """Decode and resize in tf.data, as the tutorials do."""
    images, masks = work.pairs()

    def load(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.decode_image(tf.io.read_file(image), 3, expand_animations=False)
        return resized(pixels, tf.io.decode_png(tf.io.read_file(mask), 1), work.size)

    files = tf.data.Dataset.from_tensor_slices((images, masks))
    return Contestant(endless(files, load, len(images), cached), bytes_an_image(len(images), work.images, work.masks))


def from_tfds(work: Work) -> Contestant:
    """Decode and resize a prepared TFDS data set, as the tutorials of its data sets do."""
    import tensorflow_datasets as tfds

    source = read_source(work.raw)
    builder = tfds.builder_from_directory(work.raw / source.name / source.version)
    split = builder.info.splits[source.splits["train"]]

    def load(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        return resized(example[source.image_feature], example[source.mask_feature], work.size)

    data = builder.as_dataset(split.name, shuffle_files=True)
    return Contestant(endless(data, load, split.num_examples, cached=False), split.num_bytes / split.num_examples)


def from_keras(work: Work) -> Contestant:
    """Use Keras's own reader of folders, with one seed for images and masks."""

    def read(folder: Path, mode: str, interpolation: str) -> tf.data.Dataset:
        options = {"labels": None, "batch_size": BATCH, "image_size": work.size, "seed": 1, "verbose": False}
        return keras.utils.image_dataset_from_directory(folder, color_mode=mode, interpolation=interpolation, **options)

    data = tf.data.Dataset.zip((read(work.images, "rgb", "bilinear"), read(work.masks, "grayscale", "nearest")))
    disk = bytes_an_image(len(work.pairs()[0]), work.images, work.masks)
    return Contestant(iter(data.prefetch(tf.data.AUTOTUNE).repeat()), disk)


def from_torch(work: Work) -> Contestant:
    """Use PyTorch's DataLoader with two workers."""
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    pairs = list(zip(*work.pairs(), strict=True))

    class Pairs(Dataset):
        def __len__(self) -> int:
            return len(pairs)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            image, mask = (Image.open(path) for path in pairs[index])
            shape = work.size[::-1]
            image = image.convert("RGB").resize(shape, Image.Resampling.BILINEAR)
            return np.array(image), np.array(mask.resize(shape, Image.Resampling.NEAREST))

    loader = DataLoader(Pairs(), BATCH, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)

    def batches() -> Iterator:
        while True:
            yield from loader

    return Contestant(batches(), bytes_an_image(len(pairs), work.images, work.masks))


def from_memory_map(work: Work) -> Contestant:
    """Gather decoded pixels from a file of images and a file of labels into tensors."""
    reader = work.reader("raw")
    paths = [work.folder / "images.npy", work.folder / "labels.npy"]
    if not paths[1].exists():
        for path, array in zip(paths, reader.read(range(len(reader))), strict=True):
            np.save(path, array)
    images, labels = (np.load(path, mmap_mode="r") for path in paths)

    def batches() -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        draw = np.random.default_rng(1)
        while True:
            order = draw.permutation(len(images))
            for start in range(0, len(order) - BATCH + 1, BATCH):
                chosen = order[start : start + BATCH]
                yield tf.constant(images[chosen]), tf.constant(labels[chosen])

    return Contestant(batches(), bytes_an_image(len(reader), *paths))


def bare_limit(work: Work) -> Contestant:
    """Read the bytes of the memory map in order, and copy each batch once."""
    reader = work.reader("raw")
    height, width = reader.size
    path, length = work.folder / "pixels", BATCH * height * width * 4
    if not path.exists():
        images, labels = reader.read(range(len(reader)))
        path.write_bytes(images.tobytes() + labels.tobytes())

    def batches() -> Iterator[bytes]:
        while True:
            with open(path, "rb", buffering=0) as file:
                while len(data := file.read(length)) == length:
                    yield bytearray(data)

    return Contestant(batches(), bytes_an_image(len(reader), path))


def from_shards(work: Work, encoding: str, augment: dict) -> Contestant:
    """Use the project's own input pipeline."""
    reader = work.reader(encoding)
    change = augmentation(augment_params(augment), reader)
    shards = work.shards(encoding).glob("train-*")
    return Contestant(
        iter(training_batches(reader, BATCH, change, 1, range(2**40))), bytes_an_image(len(reader), *shards)
    )


FILES, MAP = "files, decoded and resized every epoch", "NumPy memory map"
CONTESTANTS: dict[str, Callable[[Work], Contestant]] = {
    FILES: partial(from_files, cached=False),
    "the same, cached in memory": partial(from_files, cached=True),
    "TFDS, decoded and resized every epoch": from_tfds,
    "keras.utils from folders": from_keras,
    "torch DataLoader, 2 workers": from_torch,
    MAP: from_memory_map,
    "limit: read and copy": bare_limit,
    "maskline, raw": partial(from_shards, encoding="raw", augment=NONE),
    "maskline, png": partial(from_shards, encoding="png", augment=NONE),
    "maskline, jpeg": partial(from_shards, encoding="jpeg", augment=NONE),
    "maskline, raw, flip": partial(from_shards, encoding="raw", augment=FLIP),
    "maskline, raw, all augmentation": partial(from_shards, encoding="raw", augment=AUGMENTATIONS),
}


def prepare(folder: Path, options: argparse.Namespace) -> None:
    """Write shards in every encoding, and files of the images and masks that download prepared."""
    changes = {
        "dataset.name": options.dataset,
        "dataset.path": str(options.path.resolve()) if options.path else "none",
        "preprocess.height": options.size[0],
        "preprocess.width": options.size[1],
    }
    for encoding in ("raw", "png", "jpeg"):
        run_stages(folder / encoding, changes | {"preprocess.encoding": encoding}, ["download", "preprocess"])
    write_files(Work(folder, options.size).raw, "train", folder)


def available(name: str) -> bool:
    """Return whether the packages of a pipeline are installed."""
    return not name.startswith("torch") or importlib.util.find_spec("torch") is not None


def turn(batches: Iterator, seconds: float) -> tuple[float, float]:
    """Return images per second and CPU milliseconds per image over a number of seconds."""
    for _ in range(AHEAD):
        next(batches)
    count, used, begun = 0, cpu_seconds(), time.perf_counter()
    while (now := time.perf_counter()) - begun < seconds:
        next(batches)
        count += BATCH
    return count / (now - begun), 1000 * (cpu_seconds() - used) / count


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its children, running or ended."""
    alive = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages) + sum(times.user + times.system for times in alive)


def resident(name: str, work: Work, seconds: float) -> float:
    """Return the peak memory in MB of this process and its children over a turn, less the memory before it."""
    process = psutil.Process()
    before, highest = process.memory_info().rss, 0
    batches = CONTESTANTS[name](work).batches
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        next(batches)
        everyone = [process, *process.children(recursive=True)]
        highest = max(highest, sum(one.memory_info().rss for one in everyone))
    return (highest - before) / 1e6


def memory_alone(name: str, folder: Path, options: argparse.Namespace) -> float:
    """Return `resident` of a pipeline, measured in its own process."""
    command = [sys.executable, __file__, *sys.argv[1:], "--work", str(folder), "--alone", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def print_table(
    results: dict[str, list[tuple[float, float]]], disk: dict[str, float], memory: dict[str, float], pixels: int
) -> None:
    """Print medians over the rounds with the range, and medians of the ratios within each round."""
    columns = ("images/s (lowest to highest)", "of the first", "of the map", "MB/s", "CPU ms per image")
    print(f"\n| from disk to batches | {' | '.join(columns)} | MB resident | kB per image on disk |")
    print("|---" * 8 + "|")
    speeds = {name: [speed for speed, _ in rounds] for name, rounds in results.items()}
    for name, rounds in results.items():
        mine = speeds[name]
        of = [ratio(mine, speeds[peer]) for peer in (FILES, MAP)]
        print(
            f"| {name} | {spread(mine, ',.0f')} | {of[0]:.1f} | {of[1]:.2f} | "
            f"{statistics.median(mine) * pixels * 4 / 1e6:,.0f} | {statistics.median(cpu for _, cpu in rounds):.2f} | "
            f"{memory[name]:,.0f} | {disk[name] / 1e3:.0f} |"
        )


def plot(results: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw images per second: the median, and the range from lowest to highest."""
    import plots

    figure, panel = plots.panels(400)
    for name, rounds in results.items():
        speeds = [speed for speed, _ in rounds]
        middle, ends = statistics.median(speeds), [min(speeds), max(speeds)]
        color = plots.ACCENT if name.startswith("maskline") else plots.OTHERS
        panel.plot(ends, [name, name], color=color, marker="")
        panel.plot([middle], [name], color=color, marker="o")
        panel.annotate(f"{middle:,.0f}", (ends[1], name), (8, 0), textcoords="offset points", va="center")
    plots.log_scale(panel, (1,))
    panel.margins(x=0.12)
    panel.invert_yaxis()
    panel.grid(visible=False, axis="y")
    panel.set_xlabel("images/s, from disk to batches (log scale)")
    plots.save(figure, path)


def main() -> None:
    """Run all pipelines in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="shapes", help="dataset.name, as in params.yaml; default: %(default)s")
    parser.add_argument("--path", type=Path, help="dataset.path, as in params.yaml")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), help="height and width; default: 256 256")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each turn; default: %(default)s")
    parser.add_argument("--plot", type=Path, help="SVG file to draw; needs matplotlib")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(resident(options.alone, Work(options.work, tuple(options.size)), options.seconds))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), options)
        names = [name for name in CONTESTANTS if available(name)]
        found = {name: CONTESTANTS[name](Work(Path(folder), tuple(options.size))) for name in names}
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
        for number in range(options.rounds + 1):
            for name, contestant in found.items():
                result = turn(contestant.batches, options.seconds)
                if number:  # the first round warms caches and traces
                    results[name].append(result)
        memory = {name: memory_alone(name, Path(folder), options) for name in found}
        print_table(results, {name: one.disk for name, one in found.items()}, memory, options.size[0] * options.size[1])
        if options.plot:
            plot(results, options.plot)


if __name__ == "__main__":
    main()
