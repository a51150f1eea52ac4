"""Images/s on a CPU if the process keeps the memory that it frees, and if the C library returns it to Linux.

Each measurement is that of a process of its own, and the two kinds take turns. The networks are those of
`benchmarks/towers.py`. Training has the towers of the recipe; prediction is of the same images, in one batch:

    python benchmarks/allocator.py
    python benchmarks/allocator.py --only camvid --rounds 5
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from rounds import ratio, rotated, spread
from towers import CASES, random_batch, trainer

from maskline.engine.allocator import keep_freed_memory
from maskline.engine.towers import tower_count

KINDS = ("returned", "kept")


def rates(name: str, kind: str, steps: int) -> dict[str, float]:
    """Return the median images/s of training and of prediction in this process, which is a new one."""
    if kind == "kept":
        keep_freed_memory()
    tf.config.experimental.enable_op_determinism()
    case = CASES[name]
    count, height, width = case.batch
    images, labels = random_batch(case)
    trained = trainer(case, tower_count(count, height * width))
    predict = tf.function(trained.model.probabilities)

    def step() -> None:
        trained.step(images, labels)
        trained.loss_sum.numpy()  # waits for the step

    return {
        "training": count / _median_seconds(step, steps),
        "prediction": count / _median_seconds(lambda: predict(images).numpy(), steps),
    }


def _median_seconds(work: Callable[[], object], times: int) -> float:
    work()
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def main() -> None:
    """Print a table with two rows for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=7, help="of each round; default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="default: all")
    options = parser.parse_args()
    print("| network | work | returned, images/s | kept, images/s | ratio |\n|---|---|---|---|---|")
    for name in options.only:
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for number in range(options.rounds):
            for kind in rotated(KINDS, number):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    found[kind].append(pool.apply(rates, (name, kind, options.steps)))
        for work in ("training", "prediction"):
            returned, kept = ([each[work] for each in found[kind]] for kind in KINDS)
            cells = (name, work, spread(returned, ".1f"), spread(kept, ".1f"), f"{ratio(kept, returned):.2f}")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
