"""Seconds and memory of what one process does for all images together: 10,000, 100,000 and a million of them.

No image is read or converted; `preprocess.py` and `scaling.py` measure that. The data set's TFRecord files hold names
alone. What workers return is drawn at random and unpickled as theirs: the classes in each mask, and the statistics of
each shard of 64 images. A tenth of the images look alike in all splits. preprocess then lists them, holds out
validation, makes tasks, and writes manifest and audit; evaluate packs the counts of as many test images, 11 classes,
and computes the figures with their intervals.

Seconds are of wall time. Peak memory is that of the whole process while a part runs, with all that earlier parts
leave: 1 MiB is 2^20 bytes. Counts are a file in memory (mmap), whose pages count but can be given back. Each number of
images is measured in a process of its own; parts are printed to stderr as they end. Linux only.

    python benchmarks/growth.py
    python benchmarks/growth.py --largest 100000
"""

import argparse
import contextlib
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from maskline.contracts.about import About  # noqa: E402
from maskline.contracts.counts import Counts, new_counts  # noqa: E402
from maskline.contracts.manifest import Shard  # noqa: E402
from maskline.contracts.source import Source, write_source  # noqa: E402
from maskline.engine.staging import Area  # noqa: E402
from maskline.evaluation import figures as evaluation  # noqa: E402
from maskline.evaluation.tables import image_rows, size_rows  # noqa: E402
from maskline.files.records import write_table  # noqa: E402
from maskline.metrics.boundary import TRIMAP_DISTANCES  # noqa: E402
from maskline.metrics.calibration import BINS  # noqa: E402
from maskline.shards.source_examples import Examples  # noqa: E402
from maskline.shards.tfrecord import encode_example, frame  # noqa: E402
from maskline.shards.write import audit, build, choice  # noqa: E402
from maskline.shards.write.convert import Target  # noqa: E402
from maskline.shards.write.shard_statistics import ShardStatistics  # noqa: E402
from maskline.shards.write.shards import ShardTask  # noqa: E402
from maskline.shards.write.splits import ClassPresence  # noqa: E402

SIZES = (10_000, 100_000, 1_000_000)
CLASSES = 11
PER_SHARD = 64
PER_FILE = 10_000
SURVEYED = 64  # masks that a worker surveys in one task
ALIKE = 0.1  # of the images
FLIPPED = 3  # bits by which a hash of those may differ from one hash, so that any two differ in 6 at most
PIXELS = 256 * 256
BATCH = 1000  # images whose counts are drawn at once
PEAK = "5"  # what /proc/self/clear_refs takes to begin a new peak


class Usage(NamedTuple):
    """Wall seconds, and peak resident memory of the process in MiB."""

    seconds: float
    peak: float


class Meter:
    """Measures parts of the work, also those inside another."""

    def __init__(self) -> None:
        self.found: dict[str, Usage] = {}
        self._peaks: list[float] = []  # of the parts that run

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure what runs inside; parts of one name add up."""
        self._note()
        self._peaks.append(0.0)
        begun = time.perf_counter()
        yield
        seconds = time.perf_counter() - begun
        self._note()
        before = self.found.get(name, Usage(0.0, 0.0))
        self.found[name] = Usage(before.seconds + seconds, max(before.peak, self._peaks.pop()))
        print(f"{name}: {seconds:.1f} s, {self.found[name].peak:.0f} MiB", file=sys.stderr, flush=True)

    def _note(self) -> None:
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM"))
        self._peaks = [max(each, peak) for each in self._peaks]
        Path("/proc/self/clear_refs").write_text(PEAK)

    def measured(self, name: str, module: Any, function: str, drawn: Callable | None = None) -> Any:
        """Return a patch that measures a module's function, or one that draws its result instead."""
        work = drawn or getattr(module, function)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            with self.part(name):
                return work(*arguments, **named)

        return mock.patch.object(module, function, wrapped)


# Preprocess.


def write_raw(raw: Path, images: int) -> None:
    """Write a data set of a train and a test split, nine to one, whose examples have a name and no image."""
    source = Source.model_validate(
        {
            "name": "growth",
            "version": "1.0.0",
            "image_feature": "image",
            "mask_feature": "mask",
            "filename_feature": "file_name",
            "masks": "index",
            "classes": [{"name": f"class_{label}", "color": f"#{label:06x}"} for label in range(CLASSES)],
            "labels": {str(label): label for label in range(CLASSES)},
            "void": [],
            "splits": {"train": "train", "test": "test"},
        }
    )
    folder = raw / source.name / source.version
    folder.mkdir(parents=True)
    write_source(raw, source)
    infos = []
    for split, size in (("train", images - images // 10), ("test", images // 10)):
        starts = range(0, size, PER_FILE)
        lengths = [min(PER_FILE, size - start) for start in starts]
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            path = folder / f"growth-{split}.tfrecord-{number:05d}-of-{len(starts):05d}"
            names = (name_of(split, index) for index in range(start, start + length))
            path.write_bytes(b"".join(frame(encode_example({"file_name": name.encode()})) for name in names))
        infos.append({"name": split, "shardLengths": [str(length) for length in lengths]})
    (folder / "dataset_info.json").write_text(json.dumps({"splits": infos}))


def name_of(split: str, position: int) -> str:
    """Return a file name of the usual length; the numbers of neighbors in a file are far apart."""
    return f"{split}_{position * 7919 % 100_000_007:09d}_leftImg8bit.png"


def surveyed(examples: Examples, source: Source, workers: int | None, area: Area) -> ClassPresence:
    """Return random classes of each example, as the chunks of the workers are put together."""
    rng = np.random.default_rng(0)
    chunks = []
    for start in range(0, len(examples), SURVEYED):
        chunk = examples[start : start + SURVEYED]
        names = [name_of(example.split, example.position) for example in chunk]
        present = rng.random((len(chunk), CLASSES)) < np.linspace(0.9, 0.01, CLASSES)
        chunks.append(sent(ClassPresence(names, present)))
    names = [name for chunk in chunks for name in chunk.names]
    return ClassPresence(names, np.concatenate([chunk.present for chunk in chunks]))


def written(
    folder: Path, tasks: Sequence[ShardTask], source: Source, target: Target, workers: int | None, area: Area
) -> list[tuple[Shard, ShardStatistics]]:
    """Return random statistics of each task's shard."""
    rng = np.random.default_rng(1)
    alike = rng.integers(0, 256, 32, np.uint8)
    return [sent((shard_of(sent(task)), statistics_of(sent(task), rng, alike))) for task in tasks]


def shard_of(task: ShardTask) -> Shard:
    """Return the manifest's entry of a task's shard."""
    examples = len(task.examples)
    return Shard(file=task.file, examples=examples, bytes=4 * PIXELS * examples, sha256=64 * "0")


def statistics_of(task: ShardTask, rng: np.random.Generator, alike: np.ndarray) -> ShardStatistics:
    """Return random statistics; the hashes of a tenth of the images are near to `alike`, uint8 [32]."""
    examples = len(task.examples)
    hashes = rng.integers(0, 256, (examples, 32), np.uint8)
    for index in np.flatnonzero(rng.random(examples) < ALIKE):
        hashes[index] = alike
        for bit in rng.integers(0, 256, FLIPPED):
            hashes[index, bit // 8] ^= 1 << bit % 8
    pixels = rng.multinomial(PIXELS * examples, np.full(CLASSES, 1 / CLASSES))
    return ShardStatistics(
        pixels,
        np.full(CLASSES, examples),
        sizes={(480, 640), (640, 480)},
        names=[name_of(example.split, example.position) for example in task.examples],
        digests=bytearray(rng.bytes(16 * examples)),
        hashes=bytearray(hashes.tobytes()),
    )


def sent(result: Any) -> Any:
    """Return a result as the parent gets it from a worker."""
    return pickle.loads(pickle.dumps(result))


def preprocess(meter: Meter, images: int, folder: Path) -> None:
    """Measure the parts of preprocess."""
    with meter.part("drawing"):
        write_raw(folder / "raw", images)
    patches = [
        meter.measured("preprocess: list", build, "list_examples"),
        meter.measured("preprocess: split", build, "choose"),
        meter.measured("preprocess: survey, drawn", choice, "survey", surveyed),
        meter.measured("preprocess: tasks", build, "_tasks"),
        meter.measured("preprocess: shards, drawn", build, "write_shards", written),
        meter.measured("preprocess: manifest", build, "_manifest"),
        meter.measured("preprocess: manifest", build, "_check"),
        meter.measured("preprocess: manifest", build, "write_manifest"),
        meter.measured("preprocess: duplicates", audit, "duplicates"),
        meter.measured("preprocess: neighbors in train", audit, "leakage"),
        meter.measured("preprocess: audit", build, "audit"),
        mock.patch.object(build, "write_examples"),  # no pictures, because there are no shards
        mock.patch.object(build, "write_neighbors"),
    ]
    options = choice.SplitOptions(seed=1, limit=None, validation_fraction=0.1)
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        with meter.part("preprocess: all"):
            build.build_shards(folder / "raw", folder / "shards", Target(256, 256, "raw"), PER_SHARD, options)


# Evaluate.


def evaluate(meter: Meter, images: int, folder: Path) -> None:
    """Measure the parts of evaluate, for as many test images."""
    names = [f"class_{label}" for label in range(CLASSES)]
    about = About(
        classes=names, shards="", test_split="", resolution="model", inference={}, versions={}, conventions={}
    )
    filenames = [name_of("test", index) for index in range(images)]
    with meter.part("evaluate: counts"):
        packing = contextlib.ExitStack()
        counts = packing.enter_context(new_counts(folder, filenames, CLASSES, len(TRIMAP_DISTANCES), BINS))
        fill(counts)
    with meter.measured("evaluate: bootstrap", evaluation, "_intervals"), meter.part("evaluate: figures"):
        evaluation.figures(counts, about, 16, 1)
        size_rows(counts.matrices, names)
    with meter.part("evaluate: images.csv"):
        write_table(folder / "images.csv", image_rows(counts, names))
    with meter.part("evaluate: counts"):
        packing.close()


def fill(counts: Counts) -> None:
    """Draw counts of images that differ in what they show and in how hard they are."""
    rng = np.random.default_rng(2)
    for start in range(0, len(counts.filenames), BATCH):
        rows = slice(start, start + BATCH)
        number = len(counts.filenames[rows])
        truth = rng.multinomial(PIXELS, rng.dirichlet(np.full(CLASSES, 0.2), number))
        right = rng.binomial(truth, rng.beta(8, 2, (number, 1)))
        matrices = np.zeros((number, CLASSES, CLASSES), np.int64)
        matrices[:, range(CLASSES), range(CLASSES)] = right
        matrices[:, range(CLASSES), [*range(1, CLASSES), 0]] = truth - right
        counts.matrices[rows] = matrices
        counts.boundary[rows] = np.stack([truth, truth, right], axis=-1) // 50
        counts.trimap[rows] = PIXELS, PIXELS // 2
        counts.calibration[rows] = rng.multinomial(PIXELS, np.full(BINS, 1 / BINS), number)[..., None] // [1, 2]
        counts.confidence[rows] = counts.calibration[rows, :, 0] * 0.75


# Table.


def measure(images: int) -> dict[str, Usage]:
    """Measure everything in this process."""
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder:
        meter.found["start"] = Usage(0.0, 0.0)
        with meter.part("start"):
            pass
        preprocess(meter, images, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        evaluate(meter, images, Path(folder))
    return meter.found


def child(images: int) -> dict[str, Usage]:
    """Return what `measure` finds in a process of its own."""
    command = [sys.executable, __file__, "--images", str(images)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {name: Usage(*values) for name, values in json.loads(done.stdout).items()}


def table(found: dict[int, dict[str, Usage]]) -> str:
    """Return a Markdown table: seconds and peak of each part by number of images."""
    head = ["part", *(f"{images:,}: {unit}" for images in found for unit in ("s", "MiB"))]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name in next(iter(found.values())):
        cells = [f"{usage.seconds:.1f} | {usage.peak:.0f}" for usage in (parts[name] for parts in found.values())]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="number of images; default: %(default)s")
    parser.add_argument("--images", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.images:
        print(json.dumps(measure(options.images)))
    else:
        sizes = sorted({size for size in SIZES if size < options.largest} | {options.largest})
        print(table({images: child(images) for images in sizes}))


if __name__ == "__main__":
    main()
