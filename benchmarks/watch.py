"""Train with and without TensorBoard's events, in turn; print the ratio of time, the events' size, and whether bytes differ.

Takes the shards, the encoder's weights and the params of a folder whose pipeline has run:

    python benchmarks/watch.py --folder ci --rounds 3
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline import ROOT, digests

TRAIN = """
import sys
from pathlib import Path

from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params
from maskline.training.train import train

folder, out, logs = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None
params = check_params(read_yaml(folder / "params.yaml"), folder / "params.yaml")
train(
    folder / "data/shards", folder / "data/weights", out / "model", out / "checkpoints", logs=logs,
    seed=params.seed, model=params.model, augment=params.augment, params=params.train, code="",
)
"""


def train(folder: Path, out: Path, logs: list[str]) -> tuple[float, float]:
    """Train in a process of its own; return its seconds of wall clock and of CPU."""
    started, before = time.monotonic(), os.times()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", TRAIN, str(folder), str(out), *logs]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, cpu


def main() -> None:
    """Run the rounds and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("ci"), help="with params.yaml and data/")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    ratios: list[tuple[float, float]] = []
    for number in range(1, args.rounds + 1):
        with tempfile.TemporaryDirectory() as work:
            bare = train(args.folder, Path(work, "bare"), [])
            watched = train(args.folder, Path(work, "watched"), [f"{work}/logs"])
            size = sum(path.stat().st_size for path in Path(work, "logs").rglob("*") if path.is_file())
            is_equal = digests(Path(work, "bare"), "model") == digests(Path(work, "watched"), "model")
        ratios.append((watched[0] / bare[0], watched[1] / bare[1]))
        print(
            f"round {number}: without {bare[0]:.1f} s ({bare[1]:.1f} s of CPU), with {watched[0]:.1f} s "
            f"({watched[1]:.1f} s of CPU); {size / 1e6:.2f} MB of events; {'equal' if is_equal else 'OTHER'} bytes",
            flush=True,
        )
    clock, cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"with events / without, median: {clock:.3f} of the time, {cpu:.3f} of the CPU")


if __name__ == "__main__":
    main()
