"""How time and memory of each stage grow with the work: the number of images, classes, pixels per image, or shards.

Runs the five stages on a generated data set of the source `folder`: once with hardly any work, to measure the start-up,
and then with one, four and sixteen times one quantity. The quantities are 400 images (a fifth of them test), 4 classes,
64x64 pixels in the shards from images of three times that side, and 64 examples per shard, fewer for more shards. The
model is a U-Net of width 8, trained for one epoch. Wall and CPU seconds are those of the stage's process and its
workers; peak resident memory is that of the largest of them. An exponent is the slope of log(seconds beyond the
start-up) over log(factor): 0 if a stage does not depend on the quantity, 1 if twice the work takes twice as long, and
above 1 if time grows faster. It is left out if the work takes less than 0.1 s or less than the start-up varies. The
plot needs matplotlib:

    python benchmarks/scaling.py --plot docs/scaling.svg
    python benchmarks/scaling.py --short
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from pipeline import ROOT, write_pipeline
from tqdm import tqdm

STAGES = ("download", "preprocess", "train", "evaluate", "report")
SIDES = 3  # side of an original image, as a multiple of its side in the shards
LEAST = 0.1  # seconds beyond the start-up, below which growth is noise
FASTER = 1.1  # exponent above which a stage is reported to grow faster than its work


class Work(NamedTuple):
    """The size of a data set; height and width are those in the shards."""

    images: int = 400
    classes: int = 4
    height: int = 64
    width: int = 64
    per_shard: int = 64


class Usage(NamedTuple):
    """The wall seconds, CPU seconds and peak resident memory in MiB of a stage."""

    wall: float
    cpu: float
    memory: float


def works(once: Work, axes: Sequence[str], factors: Sequence[int]) -> dict[tuple[str, int], Work]:
    """Return the work by axis and factor; factors 0 (hardly any work) and 1 are the same for all axes."""
    found = {("", 0): Work(images=12, height=16, width=16), ("", 1): once}
    for factor in factors[1:]:
        root = int(factor**0.5)
        changes = {
            "images": {"images": once.images * factor},
            "classes": {"classes": once.classes * factor},
            "pixels": {"height": once.height * root, "width": once.width * factor // root},
            "shards": {"per_shard": once.per_shard // factor},
        }
        found |= {(axis, factor): once._replace(**changes[axis]) for axis in axes}
    return found


def draw(folder: Path, work: Work) -> None:
    """Write images/ and masks/: each image shows every class around random points in noisy colors."""
    rng = np.random.default_rng(0)
    colors = rng.integers(40, 216, (work.classes, 3))
    grid = np.stack(np.mgrid[: work.height, : work.width], axis=-1)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(work.images):
        points = rng.uniform(0, (work.height, work.width), (work.classes, 2))
        nearest = ((grid[:, :, None] - points) ** 2).sum(axis=-1).argmin(axis=-1)
        labels = nearest.repeat(SIDES, axis=0).repeat(SIDES, axis=1).astype(np.uint8)
        pixels = (colors[labels] + rng.integers(-40, 40, (*labels.shape, 3))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{index:05d}.png", compress_level=1)
        Image.fromarray(labels).save(folder / f"masks/{index:05d}.png", compress_level=1)


def params_of(work: Work, data: Path) -> dict[str, object]:
    """Return the changes of the project's params for an amount of work."""
    return {
        "dataset.name": "folder",
        "dataset.path": str(data),
        "dataset.classes": [f"class_{label}" for label in range(work.classes)],
        "preprocess.height": work.height,
        "preprocess.width": work.width,
        "preprocess.examples_per_shard": work.per_shard,
        "model.width": 8,
        "train.epochs": 1,
        "train.warmup_epochs": 0.5,
    }


def run(folder: Path) -> dict[str, Usage]:
    """Run the stages in a folder, and return the usage of each."""
    return {stage: timed([sys.executable, str(ROOT / f"stages/{stage}.py")], folder) for stage in STAGES}


def timed(command: Sequence[str], folder: Path) -> Usage:
    """Run a command, and return the usage of it and its children."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(said.decode())
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Usage(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def measure(
    all_works: Mapping[tuple[str, int], Work], rounds: int, folder: Path
) -> list[dict[tuple[str, int], dict[str, Usage]]]:
    """Return the usage of each stage for each work in each round; the works take turns."""
    data = {work: folder / f"data-{number}" for number, work in enumerate(all_works.values())}
    for work, place in tqdm(data.items(), desc="drawing", disable=None):
        draw(place, work)
    found = []
    for number in range(rounds):
        results = {}
        for key, work in tqdm(all_works.items(), desc=f"round {number + 1}", disable=None):
            place = folder / "run"
            write_pipeline(place, params_of(work, data[work]))
            results[key] = run(place)
            shutil.rmtree(place)
        found.append(results)
    return found


class Growth(NamedTuple):
    """How one quantity of one stage grows along one axis."""

    start: np.ndarray  # usage with hardly any work, [rounds]
    values: np.ndarray  # usage, [rounds, factors]

    @property
    def beyond(self) -> np.ndarray | None:
        """The usage beyond the start-up, or None if it is too small to measure its growth."""
        beyond = self.values - self.start[:, None]
        return beyond if beyond.min() >= max(LEAST, np.ptp(self.start)) else None

    def exponents(self, factors: Sequence[int]) -> np.ndarray | None:
        """Return the exponent of each round, by least squares."""
        return None if self.beyond is None else np.polyfit(np.log(factors), np.log(self.beyond.T), 1)[0]


Grown = dict[tuple[str, str], Usage]  # by axis and stage, a Growth of each quantity


def growths(found: list[dict], axes: Sequence[str], factors: Sequence[int]) -> Grown:
    """Return the growth of wall, CPU and memory by axis and stage."""
    grown = {}
    for axis in axes:
        for stage in STAGES:
            starts = np.array([results["", 0][stage] for results in found])
            usages = np.array([[results["" if f == 1 else axis, f][stage] for f in factors] for results in found])
            grown[axis, stage] = Usage(*map(Growth, starts.T, np.moveaxis(usages, 2, 0)))
    return grown


def table(grown: Grown, factors: Sequence[int]) -> str:
    """Return a Markdown table: medians over the rounds, and exponents with their range."""
    columns = [f"{kind} at {f}x" for kind in ("s", "CPU s", "MiB") for f in factors]
    head = ["axis", "stage", "start-up, s", *columns, "exponent of s", "exponent of CPU s"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for (axis, stage), usage in grown.items():
        cells = [axis, stage, f"{np.median(usage.wall.start):.1f}"]
        for growth, form in zip(usage, (".1f", ".1f", ".0f"), strict=True):
            cells += [f"{value:{form}}" for value in np.median(growth.values, axis=0)]
        for slopes in (growth.exponents(factors) for growth in usage[:2]):
            shown = slopes is not None and f"{np.median(slopes):.2f} ({slopes.min():.2f} to {slopes.max():.2f})"
            cells.append(shown or "too little work")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def verdict(grown: Grown, factors: Sequence[int]) -> str:
    """Return a sentence on the stages that grow faster than their work in every round."""
    slopes = {key: usage.wall.exponents(factors) for key, usage in grown.items()}
    faster = [
        f"{stage} with {axis} (exponent {np.median(found):.2f})"
        for (axis, stage), found in slopes.items()
        if found is not None and found.min() > FASTER
    ]
    listed = ", ".join(faster) or "none"
    return f"Stages that grow faster than their work in every round (exponent above {FASTER}): {listed}."


def plot(grown: Grown, axes: Sequence[str], factors: Sequence[int], path: Path) -> None:
    """Draw two panels for each axis: time beyond the start-up relative to 1x, and below it peak memory."""
    import plots

    figure, panels = plots.panels(560, 2, len(axes), sharex=True, sharey="row", squeeze=False)
    for (times, memories), axis in zip(panels.T, axes, strict=True):
        for stage, look in zip(STAGES, plots.SERIES, strict=False):
            usage = grown[axis, stage]
            if usage.wall.beyond is not None:
                relative = usage.wall.beyond / usage.wall.beyond[:, :1]
                times.plot(factors, np.median(relative, axis=0), **look)
                times.fill_between(factors, relative.min(axis=0), relative.max(axis=0), color=look["color"], alpha=0.2)
            memories.plot(factors, np.median(usage.memory.values, axis=0), **look, label=stage)
        times.plot(factors, factors, color=plots.MUTED, marker="", linestyle="--", linewidth=1, label="proportional")
        times.set_xscale("log", base=2)
        times.set_yscale("log", base=2)
        times.set_yticks(factors, [str(factor) for factor in factors])
        times.set_title(axis)
        memories.set_xticks(factors, [str(factor) for factor in factors])
    panels[1, 0].set_ylim(bottom=0)
    panels[0, 0].set_ylabel("time beyond the start-up,\nrelative to 1x")
    panels[1, 0].set_ylabel("peak memory, MiB")
    figure.supxlabel("times as much")
    plots.legend(figure, 3)
    plots.save(figure, path)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--short", action="store_true", help="images alone, few of them, once: that the script works")
    parser.add_argument("--plot", type=Path, help="SVG file to draw")
    options = parser.parse_args()
    once, axes, factors = Work(), ("images", "classes", "pixels", "shards"), (1, 4, 16)
    if options.short:
        once, axes, factors, options.rounds = Work(images=100), ("images",), (1, 4), 1
    with tempfile.TemporaryDirectory() as folder:
        found = measure(works(once, axes, factors), options.rounds, Path(folder))
    grown = growths(found, axes, factors)
    print(table(grown, factors))
    print(f"\n{verdict(grown, factors)}")
    if options.plot:
        plot(grown, axes, factors, options.plot)


if __name__ == "__main__":
    main()
