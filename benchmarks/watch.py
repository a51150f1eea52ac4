"""Train with and without TensorBoard's events, in turn, and print what the events cost.

Takes the shards, the encoder's weights and the params of a folder whose pipeline has run:

    python benchmarks/watch.py --folder ci --rounds 3
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline import ROOT, digests
from rounds import ratio

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
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "watched": []}
    for number in range(1, args.rounds + 1):
        with tempfile.TemporaryDirectory() as work:
            for name, found in times.items():
                found.append(train(args.folder, Path(work, name), [f"{work}/logs"] if name == "watched" else []))
            size = sum(path.stat().st_size for path in Path(work, "logs").rglob("*") if path.is_file())
            is_equal = digests(Path(work, "bare"), ["model"]) == digests(Path(work, "watched"), ["model"])
        for name, found in times.items():
            print(f"round {number}, {name}: {found[-1][0]:.1f} s, {found[-1][1]:.1f} s of CPU")
        print(f"{size / 1e6:.2f} MB of events; {'equal' if is_equal else 'OTHER'} bytes", flush=True)
    for place, unit in enumerate(("time", "CPU")):
        watched, bare = ([each[place] for each in times[name]] for name in ("watched", "bare"))
        print(f"with events / without, median of rounds: {ratio(watched, bare):.3f} of the {unit}")


if __name__ == "__main__":
    main()
