"""The CPU time of each engine per image on one thread, and what a fresh process takes until its first image.

The models are untrained, with 7 classes: the default network of params.yaml and the MobileNetV2 U-Net. The engines take
turns, image by image, in one process that is restricted to one core. The ratio is the median over the rounds of an
engine's time to that of ONNX Runtime. The start is measured for a fresh process that imports maskline, loads the model
and labels one photograph of 640x480. int8 is ONNX Runtime's. Engines that are not installed are left out.

    python benchmarks/runtimes.py
    python benchmarks/runtimes.py --networks "U-Net, width 16" --sizes 256 --rounds 5 --starts 1
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
# TensorFlow reads these when it is imported.
os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

import numpy as np
from engines import ENGINES, LOOP, NETWORKS, ROOT, installed, write_models
from photographs import write_photographs
from rounds import ratio, rotated, spread
from usage import Usage, used

STARTED = ("ONNX Runtime", "LiteRT", "OpenVINO", "traced Keras")
BASE = "ONNX Runtime"
WARM_UP = 2  # images


def milliseconds(folder: Path, size: int, names: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Return the CPU milliseconds of each engine in each round, on one image of the size."""
    image = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    loaded = {name: ENGINES[name].load(folder / ENGINES[name].file, 1) for name in names}
    for predict in loaded.values():
        for _ in range(WARM_UP):
            predict(image)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in rotated(names, number):
            begun = time.process_time()
            loaded[name](image)
            found[name].append(1000 * (time.process_time() - begun))
    return found


def starts(folder: Path, names: Sequence[str], rounds: int) -> dict[str, list[Usage]]:
    """Return what a fresh process uses to label one photograph with each engine."""
    photographs = folder / "photographs"
    write_photographs(photographs, 1)
    found: dict[str, list[Usage]] = {name: [] for name in names}
    for number in range(rounds):
        for name in rotated(names, number):
            out = folder / f"out-{number}-{name}"
            found[name].append(used([sys.executable, LOOP, name, folder, photographs, out], ROOT))
    return found


def print_speeds(title: str, found: Mapping[str, Sequence[float]]) -> None:
    """Print a row for each engine."""
    base = found.get(BASE)
    for name, values in found.items():
        times = f"{ratio(values, base):.2f}" if base else ""
        print(f"| {title} | {name} | {spread(values, '.1f')} | {times} |", flush=True)


def print_starts(found: Mapping[str, Sequence[Usage]]) -> None:
    """Print the table of the starts."""
    print("\n| engine | CPU seconds to the first image (lowest to highest) | peak memory, MiB |\n|---|---|---|")
    for name, usages in found.items():
        cpu = [usage.cpu for usage in usages]
        memory = statistics.median(usage.memory for usage in usages)
        print(f"| {name} | {spread(cpu, '.2f')} | {memory:.0f} |")


def main() -> None:
    """Measure every network at every size, then the starts, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="default: all")
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512], help="pixels; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--starts", type=int, default=5, help="rounds of the start; default: %(default)s")
    options = parser.parse_args()
    names = list(installed())
    with tempfile.TemporaryDirectory() as place:
        folders = {(name, size): Path(place) / f"{name}-{size}" for name in options.networks for size in options.sizes}
        for (network, size), folder in folders.items():
            folder.mkdir()
            write_models(network, (size, size), folder)
        print("| network | engine | CPU ms per image (lowest to highest) | of ONNX Runtime's |\n|---|---|---|---|")
        for (network, size), folder in folders.items():
            print_speeds(f"{network}, {size}x{size}", milliseconds(folder, size, names, options.rounds))
        first = next(iter(folders.values()))
        print_starts(starts(first, [name for name in STARTED if name in names], options.starts))


if __name__ == "__main__":
    main()
