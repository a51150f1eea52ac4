"""How images per second from disk to augmented batches grow with the cores, in threads and in processes.

Each number of cores is a run of its own that may use no others. It reads raw shards in batches of 16 under all
augmentation, as training does: in at most four threads, as where a CPU trains, or in a process for each core, as where
a GPU does.

    python benchmarks/input_cores.py
    python benchmarks/input_cores.py --cores 1 2 --shards data/shards
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

from pipeline import AUGMENTATIONS, augment_params, run_stages  # noqa: E402

from maskline.engine.cores import cores  # noqa: E402

BATCH = 16
AHEAD = 48  # batches before a turn, more than are made ahead
KINDS = ("threads", "processes")


def rates(folder: Path, kind: str, options: argparse.Namespace) -> list[float]:
    """Return images/s in each round."""
    from maskline.contracts.manifest import read_manifest
    from maskline.shards.read import batches
    from maskline.shards.read.augment import augmentation
    from maskline.shards.read.reader import ShardReader

    batches._processes = lambda shape: cores() if kind == "processes" else 0  # else a GPU decides
    reader = ShardReader(folder, read_manifest(folder), "train")
    change = augmentation(augment_params(AUGMENTATIONS), reader)
    stream = iter(batches.training_batches(reader, BATCH, change, 1, range(2**40)))
    for _ in range(AHEAD):
        next(stream)
    return [turn(stream, options.seconds) for _ in range(options.rounds)]


def turn(stream: Iterator, seconds: float) -> float:
    """Return images per second over a number of seconds."""
    count, begun = 0, time.perf_counter()
    while (now := time.perf_counter()) - begun < seconds:
        next(stream)
        count += BATCH
    return count / (now - begun)


def child(kind: str, number: int, options: argparse.Namespace) -> None:
    """Print the rates of each folder on some cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:number])
    print(json.dumps([rates(folder, kind, options) for folder in options.shards]))


def measured(kind: str, number: int, shards: list[Path]) -> list[list[float]]:
    """Return what a child prints."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", kind, "--number", str(number), "--shards", *shards]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure every number of cores, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    powers = [1 << power for power in range(cores().bit_length())]
    parser.add_argument(
        "--cores", type=int, nargs="+", default=powers, help="default: the powers of two that there are"
    )
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument(
        "--shards", type=Path, nargs="+", help="folders; default: shapes at 128x128 and 256x256, made for the run"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each round; default: %(default)s")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.number, options)
        return
    with tempfile.TemporaryDirectory() as work:
        shards = options.shards or [shapes(Path(work) / str(size), size) for size in (128, 256)]
        print(f"| images/s | made in | {' | '.join(f'{number} cores' for number in options.cores)} |")
        print("|---|---|" + "---|" * len(options.cores))
        for kind in options.kinds:
            found = [measured(kind, number, shards) for number in options.cores]
            for place, folder in enumerate(shards):
                middle = [statistics.median(rounds[place]) for rounds in found]
                cells = [f"{rate:,.0f} ({rate / middle[0]:.1f}x)" for rate in middle]
                print(f"| {name(folder)} | {kind} | {' | '.join(cells)} |", flush=True)


def shapes(folder: Path, size: int) -> Path:
    """Write shards of drawn shapes, and return their folder."""
    changes = {"dataset.name": "shapes", "preprocess.height": size, "preprocess.width": size, "dataset.limit": 64}
    run_stages(folder, changes, ["download", "preprocess"])
    return folder / "data/shards"


def name(shards: Path) -> str:
    """Return the size of the images."""
    manifest = json.loads((shards / "manifest.json").read_text())
    return f"{manifest['height']}x{manifest['width']}"


if __name__ == "__main__":
    main()
