"""The cost of preprocess compared with plain scripts: speed, start-up, CPU by phase, memory, a million images.

All decode and resize the same images and masks (image antialiased, mask by nearest neighbor), and write raw-encoded
TFRecord Examples with the same keys into as many shards. The images and masks in Pillow's shards are compared with
maskline's pixel by pixel. The scripts work in one process and do nothing else:

- Pillow, and OpenCV (INTER_AREA, INTER_NEAREST_EXACT), with tf.io.TFRecordWriter;
- tf.image with antialiasing, eagerly and in tf.data's parallel map, with the same writer.

maskline is the preprocess stage's `build_shards` with one worker and two, including the start-up of their processes. It
also reports bad files by name, checks every mask value, counts pixels, hashes images to find exact and near duplicates
across splits, computes the SHA-256 of the shards, and reads a few examples back for the report's pictures. What its
parent does for all images together is measured by `growth.py`.

    python benchmarks/preprocess.py
    python benchmarks/preprocess.py --dataset camvid --path .../CamVid
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Workers import this file too, so TensorFlow and OpenCV are imported in the functions that need them.
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from pipeline import run_stages, write_files  # noqa: E402
from rounds import spread  # noqa: E402

from maskline.contracts.classes import VOID, Role  # noqa: E402
from maskline.contracts.manifest import read_manifest  # noqa: E402
from maskline.contracts.source import Source, read_source  # noqa: E402
from maskline.shards.decode import decode_image, decode_mask  # noqa: E402
from maskline.shards.example import serialized  # noqa: E402
from maskline.shards.read.reader import ShardReader  # noqa: E402
from maskline.shards.source_examples import Examples, example_name, joined, list_examples, read_features  # noqa: E402
from maskline.shards.tfrecord import frame  # noqa: E402
from maskline.shards.write import shard_statistics  # noqa: E402
from maskline.shards.write.audit import duplicates  # noqa: E402
from maskline.shards.write.build import SplitOptions, build_shards  # noqa: E402
from maskline.shards.write.convert import Target  # noqa: E402
from maskline.shards.write.shard_statistics import ShardStatistics  # noqa: E402
from maskline.shards.write.shards import ShardTask, write_shards  # noqa: E402

PER_SHARD = 64
ROLES: tuple[Role, ...] = ("train", "validation", "test")
ENCODINGS = ("raw", "png", "jpeg")
PHASES = ("read", "decode image", "decode mask", "resize", "audit", "encode, CRC, SHA-256", "write")
WORKERS = {"1 worker": 1, "2 workers": 2}
MILLION = 1_000_000

Pairs = list[tuple[Path, Path]]
Work = Callable[[Path], None]


# The plain scripts.


class Scripts:
    """Plain conversions of (image, mask) files, one list per shard, to `size` (height, width); `void` becomes 255."""

    def __init__(self, shards: dict[str, Pairs], size: tuple[int, int], void: Sequence[str]) -> None:
        self.shards, self.size, self.void = shards, size, [int(value) for value in void]

    def pillow(self, folder: Path) -> None:
        """Read and resize with Pillow."""
        size = self.size[::-1]

        def load(image: Path, mask: Path) -> tuple[np.ndarray, np.ndarray]:
            pixels = Image.open(image).convert("RGB").resize(size, Image.Resampling.BILINEAR)
            return np.asarray(pixels), np.array(Image.open(mask).resize(size, Image.Resampling.NEAREST))

        self._write(folder, lambda pairs: (load(*pair) for pair in pairs))

    def opencv(self, folder: Path) -> None:
        """Read and resize with OpenCV and its default number of threads."""
        import cv2

        size = self.size[::-1]

        def load(image: Path, mask: Path) -> tuple[np.ndarray, np.ndarray]:
            pixels = cv2.cvtColor(cv2.imread(str(image)), cv2.COLOR_BGR2RGB)
            labels = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
            return (
                cv2.resize(pixels, size, interpolation=cv2.INTER_AREA),
                cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT),
            )

        self._write(folder, lambda pairs: (load(*pair) for pair in pairs))

    def eager(self, folder: Path) -> None:
        """Read and resize with tf.image, one image after the other."""
        self._write(folder, lambda pairs: (self._tensors(str(image), str(mask)) for image, mask in pairs))

    def mapped(self, folder: Path) -> None:
        """Read and resize with tf.image in a parallel map of tf.data."""
        import tensorflow as tf

        def load(pairs: Pairs) -> Iterator:
            names = [[str(path) for path in paths] for paths in zip(*pairs, strict=True)]
            data = tf.data.Dataset.from_tensor_slices(tuple(names))
            return iter(data.map(self._tensors, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE))

        self._write(folder, load)

    def _tensors(self, image: Any, mask: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        pixels = tf.image.resize(tf.io.decode_png(tf.io.read_file(image), 3), self.size, antialias=True)
        labels = tf.image.resize(tf.io.decode_png(tf.io.read_file(mask), 1), self.size, "nearest")
        return tf.cast(tf.round(pixels), tf.uint8), labels[..., 0]

    def _write(self, folder: Path, load: Callable[[Pairs], Iterator]) -> None:
        import tensorflow as tf

        for name, pairs in self.shards.items():
            with tf.io.TFRecordWriter(str(folder / name)) as writer:
                for (path, _), (image, mask) in zip(pairs, load(pairs), strict=True):
                    labels = np.array(mask)
                    labels[np.isin(labels, self.void)] = VOID
                    writer.write(self._example(path.name, np.asarray(image).tobytes(), labels.tobytes()))

    def _example(self, name: str, image: bytes, labels: bytes) -> bytes:
        import tensorflow as tf

        values = {
            "image/encoded": image,
            "image/format": b"raw",
            "image/height": self.size[0],
            "image/width": self.size[1],
            "image/filename": name.encode(),
            "image/segmentation/class/encoded": labels,
            "image/segmentation/class/format": b"raw",
        }
        features = {
            key: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
            if isinstance(value, int)
            else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
            for key, value in values.items()
        }
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def files_of(data: "Data", folder: Path) -> dict[str, Pairs]:
    """Write the data set's images and masks as files, and return the pairs of each shard."""
    shards = {}
    for role in ROLES:
        pairs = write_files(data.raw, role, folder)
        total = -(-len(pairs) // PER_SHARD)
        for shard in range(total):
            part = pairs[shard * PER_SHARD : (shard + 1) * PER_SHARD]
            shards[f"{role}-{shard:05d}-of-{total:05d}.tfrecord"] = part
    return shards


def same_pixels(ours: Path, theirs: Path) -> bool:
    """Return whether another writer's shards hold the same images and labels as ours."""
    import tensorflow as tf

    manifest = read_manifest(ours)
    for role in ROLES:
        reader = ShardReader(ours, manifest, role)
        files = [str(theirs / shard.file) for shard in manifest.splits[role].shards]
        for index, record in enumerate(tf.data.TFRecordDataset(files).as_numpy_iterator()):
            found = tf.train.Example.FromString(record).features.feature
            stored = [found[key].bytes_list.value[0] for key in ("image/encoded", "image/segmentation/class/encoded")]
            if stored != [array[0].tobytes() for array in reader.read([index])]:
                return False
    return True


# maskline.


class Data(NamedTuple):
    """A folder of raw data, its source and examples, and the target size."""

    raw: Path
    source: Source
    examples: Examples
    target: Target

    @classmethod
    def open(cls, raw: Path, size: Sequence[int]) -> "Data":
        """List a folder's examples."""
        source = read_source(raw)
        examples = joined(list_examples(raw, source, role) for role in source.splits)
        return cls(raw, source, examples, Target(*size, "raw"))


def ours(data: Data, workers: int) -> Work:
    """Return the stage's own work with a number of workers."""
    options = SplitOptions(1, None, 0.1)
    return lambda folder: build_shards(data.raw, folder / "shards", data.target, PER_SHARD, options, workers)


def tasks_of(examples: Examples, size: int = PER_SHARD) -> list[ShardTask]:
    """Return examples as shards of one split."""
    return [
        ShardTask(f"{start}.tfrecord", "train", examples[start : start + size])
        for start in range(0, len(examples), size)
    ]


def start_up(data: Data, workers: int) -> Work:
    """Return the work of writing one image per worker."""
    tasks = tasks_of(data.examples[:workers], 1)
    return lambda folder: write_shards(folder, tasks, data.source, data.target, workers)


def phases(data: Data, encoding: str, path: Path) -> dict[str, float]:
    """Return the CPU milliseconds per image by phase, and the bytes per image on disk."""
    spent = dict.fromkeys(PHASES, 0.0)

    def timed(phase: str, work: Callable, *arguments: Any) -> Any:
        begun = time.process_time()
        result = work(*arguments)
        spent[phase] += 1000 * (time.process_time() - begun) / len(data.examples)
        return result

    target = dataclasses.replace(data.target, encoding=encoding)
    found, digest = ShardStatistics(*np.zeros((2, len(data.source.classes)), np.int64)), hashlib.sha256()
    examples = read_features(data.examples, data.source)
    with open(path, "wb") as file:
        for _ in data.examples:
            example, features = timed("read", next, examples)
            name = example_name(example, features, data.source)
            image, conversions = timed("decode image", decode_image, features[data.source.image_feature], name)
            mask = timed("decode mask", decode_mask, features[data.source.mask_feature], name, data.source)
            small, labels = timed("resize", resized, image, mask, target)
            timed("audit", shard_statistics.count, found, image, labels, conversions)
            record = timed("encode, CRC, SHA-256", encoded, name, small, labels, target, digest)
            timed("write", file.write, record)
    return spent | {"bytes": path.stat().st_size / len(data.examples)}


def resized(image: Image.Image, mask: np.ndarray, target: Target) -> tuple[Image.Image, np.ndarray]:
    """Return image and labels resized as in the library."""
    size = (target.width, target.height)
    labels = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
    return image.resize(size, Image.Resampling.BILINEAR), np.asarray(labels)


def encoded(name: str, image: Image.Image, labels: np.ndarray, target: Target, digest: Any) -> bytes:
    """Return the record that the library writes, and update the shard's digest with it."""
    record = frame(serialized(image, labels, name, target.encoding))
    digest.update(record)
    return record


# Memory.


def memory(data: Data, factor: int, folder: Path) -> dict[str, float]:
    """Return the peak MiB of this process and of the larger of two workers that write the data `factor` times."""
    peaks: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for process in multiprocessing.active_children():
                with contextlib.suppress(OSError, StopIteration):
                    peaks[process.pid] = peak_of(process.pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        written = write_shards(folder, tasks_of(joined([data.examples] * factor)), data.source, data.target, 2)
        duplicates({"train": [counts for _, counts in written]})
    finally:
        done.set()
        watcher.join()
    return {"parent": peak_of(os.getpid()), "workers": max(peaks.values())}


def peak_of(process: int) -> float:
    """Return the peak resident memory of a process in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM"))


# Tables.


def in_turns(works: dict[str, Work], rounds: int, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Return wall and CPU seconds of each work in each round, after a warm-up round."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            place = folder / f"{name}-{number}"
            place.mkdir()
            begun, used = time.perf_counter(), cpu_seconds()
            work(place)
            if number:
                results[name].append((time.perf_counter() - begun, cpu_seconds() - used))
                shutil.rmtree(place)
    return results


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def head(*cells: str) -> None:
    """Print the head of a table."""
    print()
    row(*cells)
    print("|" + "---|" * len(cells))


def row(*cells: object) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def print_speeds(results: dict[str, list[tuple[float, float]]], images: int) -> None:
    """Print images/s, the ratio to Pillow by round, and CPU time per image."""
    walls = {name: np.array([wall for wall, _ in rounds]) for name, rounds in results.items()}
    head(f"{images} images to raw shards", "images/s (lowest to highest)", "of Pillow's", "CPU ms per image")
    for name in (name for name in results if not name.startswith("start-up")):
        cpu = statistics.median(1000 * used / images for _, used in results[name])
        row(name, spread(images / walls[name], ",.0f"), spread(walls["Pillow"] / walls[name], ".2f"), f"{cpu:.2f}")
    (one, two), (begin_one, begin_two) = ([walls[f"{kind}, {w}"] for w in WORKERS] for kind in ("maskline", "start-up"))
    print(f"\nSpeed-up of two workers over one: {spread(one / two, '.2f')}; ", end="")
    print(f"without start-up: {spread((one - begin_one) / (two - begin_two), '.2f')}.")
    print(f"Start-up: {spread(begin_one, '.2f')} s with one worker, {spread(begin_two, '.2f')} s with two.")


def print_phases(costs: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Print CPU by phase and encoding, and return the medians of all rounds with their sum."""
    found = {}
    for encoding, rounds in costs.items():
        found[encoding] = {key: statistics.median(cost[key] for cost in rounds) for key in rounds[0]}
        found[encoding]["all"] = sum(found[encoding][phase] for phase in PHASES)
    head("CPU ms per image", *costs)
    for phase in PHASES:
        row(phase, *(spread([cost[phase] for cost in rounds], ".2f") for rounds in costs.values()))
    row("all", *(f"{median['all']:.2f}" for median in found.values()))
    return found


def print_rest(results: dict[str, list[tuple[float, float]]], images: int, in_phases: float) -> None:
    """Print what one worker takes in addition to the phases; CPU milliseconds an image."""
    seconds = {
        kind: statistics.median(used for _, used in results[f"{kind}, 1 worker"]) for kind in ("maskline", "start-up")
    }
    whole, start = (1000 * seconds[kind] / images for kind in ("maskline", "start-up"))
    print(f"\nOf {whole:.2f} ms of CPU an image with one worker, {in_phases:.2f} are in the phases, {start:.2f} in the")
    print(f"worker's start-up, which takes {seconds['start-up']:.2f} s for any number of images, and")
    print(f"{whole - in_phases - start:.2f} in the rest: the parent's lists, duplicates, pictures and flushing.")


def print_memory(data: Data) -> None:
    """Print the peak memory for one, two and four times the images."""
    head("times the images", "parent, peak MiB", "larger worker, peak MiB")
    for factor in (1, 2, 4):
        size = (data.target.height, data.target.width)
        peak = child("--memory", *map(str, (factor, data.raw, *size)))
        row(factor, f"{peak['parent']:.0f}", f"{peak['workers']:.0f}")


def print_plan(costs: dict[str, dict[str, float]]) -> None:
    """Print the estimated cost of a million such images."""
    head("a million such images", *costs)
    for cores in (2, 16, 64):
        hours = [cost["all"] * MILLION / 3.6e6 / cores for cost in costs.values()]
        row(f"hours on {cores} cores with even work", *(f"{each:.2f}" for each in hours))
    row("GB on disk", *(f"{cost['bytes'] * MILLION / 1e9:.0f}" for cost in costs.values()))


def child(*arguments: str) -> dict[str, float]:
    """Run this script in another process, and return the JSON that it prints."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Prepare the raw data, run everything in turns, and print the tables."""
    changes = {"dataset.name": options.dataset, "dataset.path": str(options.path.resolve()) if options.path else "none"}
    run_stages(folder / "run", changes, ["download"])
    data = Data.open(folder / "run/data/raw", options.size)
    scripts = Scripts(files_of(data, folder / "files"), tuple(options.size), data.source.void)
    works: dict[str, Work] = {
        "Pillow": scripts.pillow,
        "OpenCV": scripts.opencv,
        "tf.image, eager": scripts.eager,
        "tf.image, tf.data": scripts.mapped,
        **{f"maskline, {name}": ours(data, workers) for name, workers in WORKERS.items()},
        **{f"start-up, {name}": start_up(data, workers) for name, workers in WORKERS.items()},
    }
    results = in_turns(works, options.rounds, folder)
    same = same_pixels(folder / "maskline, 1 worker-0/shards", folder / "Pillow-0")
    print(f"Images and masks of Pillow's shards are {'equal to' if same else 'NOT equal to'} maskline's.")
    print_speeds(results, len(data.examples))
    for place in folder.glob("*-0"):
        shutil.rmtree(place)
    costs = {e: [phases(data, e, folder / e) for _ in range(options.rounds)] for e in ENCODINGS}
    medians = print_phases(costs)
    print_rest(results, len(data.examples), medians["raw"]["all"])
    print_memory(data)
    print_plan(medians)


def main() -> None:
    """Measure everything, or one part for the parent process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dataset", default="shapes", help="dataset.name of a source with all three splits; default: %(default)s"
    )
    parser.add_argument("--path", type=Path, help="dataset.path, as in params.yaml")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), help="height and width; default: 256 256")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--memory", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.memory:
            factor, raw, *size = options.memory
            print(json.dumps(memory(Data.open(Path(raw), [int(side) for side in size]), int(factor), Path(folder))))
        else:
            measure(options, Path(folder))


if __name__ == "__main__":
    main()
