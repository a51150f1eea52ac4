"""How often `maskline compare` tells the same params apart, and how often it finds a real change, with trained models.

Trains each data set with several seeds of its params and of a change: half as many epochs more. Then it draws groups
of S runs without replacement and compares them as the command does: two groups of the same params, where each verdict
on any metric is a false alarm, and a group of each params, where mean IoU is better in truth. Up to three runs a side
the verdicts are by images alone, about models. All runs of both params make one comparison, found or not. Finished
runs are not repeated, so that a stopped command goes on where it was. The plot needs matplotlib; Pet needs its TFDS
data set in TFDS_DATA_DIR or the network:

    python benchmarks/seeds.py --work seeds --weights mobilenet_v2_1.0_224_no_top.weights.h5 --plot seeds.svg
    python benchmarks/seeds.py --work seeds --data shapes --seeds 12
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from pipeline import result_of, run_stages  # noqa: E402
from seeds_simulation import plot  # noqa: E402

from maskline.comparison.compare import Result  # noqa: E402
from maskline.comparison.seeds import compare_seeds  # noqa: E402

SMALL = {
    "dataset.limit": 128,
    "preprocess.height": 64,
    "preprocess.width": 64,
    "model.width": 12,
    "train.learning_rate": 0.003,
    "train.epochs": 16,
}
PETS = {
    "dataset.name": "oxford_iiit_pet",
    "model.architecture": "unet_pix2pix",
    "model.encoder": "mobilenet_v2",
    "model.width": 32,
    "train.learning_rate": 0.002,
    "train.epochs": 4,
}
DATA = {"shapes": (SMALL, {"train.epochs": 24}), "pets": (PETS, {"train.epochs": 6})}
STAGES = ("download", "preprocess", "train", "evaluate")
FIRST_SEED = 101  # seeds that were in no other experiment
DRAWS = 200  # comparisons of each number of runs
RESAMPLES = 1000

Runs = dict[int, Result]


def finished_result(name: str, changes: Mapping[str, Any], folder: Path) -> Result:
    """Run the pipeline in `folder` if it is not finished, and return the counts of evaluate."""
    if not (folder / "finished").exists():
        run_stages(folder, changes, STAGES)
        for made in ("data/raw", "data/shards", ".checkpoints"):  # 24 copies would fill the disk
            shutil.rmtree(folder / made, ignore_errors=True)
        (folder / "finished").touch()
    return result_of(name, folder)


def trained(name: str, changes: Mapping[str, Any], seeds: Sequence[int], folder: Path) -> Runs:
    """Return the results of all seeds, those that are missing after training."""
    return {
        seed: finished_result(f"{name}, seed {seed}", {**changes, "seed": seed}, folder / str(seed)) for seed in seeds
    }


def groups(rng: np.random.Generator, first: Runs, other: Runs | None, count: int) -> tuple[Runs, Runs]:
    """Draw `count` runs of each, or of one twice, none in both."""
    order = rng.permutation(list(first))
    more = order[count : 2 * count] if other is None else rng.permutation(list(other))[:count]
    pool = first if other is None else other
    return {seed: first[seed] for seed in order[:count]}, {seed: pool[seed] for seed in more}


def shares(first: Runs, other: Runs | None, count: int) -> tuple[float, float]:
    """Return the share of comparisons with a verdict on mean IoU, B better if it is another's, and on any metric."""
    rng = np.random.default_rng(count)
    headline = anything = 0
    for number in range(DRAWS):
        rows = compare_seeds(*groups(rng, first, other, count), RESAMPLES, number).rows
        verdicts = {row.metric: row.verdict.split()[0] for row in rows}
        headline += verdicts["mean_iou"] in (("better",) if other else ("better", "worse"))
        anything += bool({"better", "worse"} & set(verdicts.values()))
    return headline / DRAWS, anything / DRAWS


def spread(runs: Runs) -> str:
    """Return the mean and standard deviation of the runs' mean IoU."""
    from maskline.metrics.scores import mean_iou

    values = mean_iou(np.stack([result.matrices.sum(axis=0) for result in runs.values()]))
    return f"{values.mean():.4f} ± {values.std(ddof=1):.4f}"


def main() -> None:
    """Train the models that are not trained yet, compare groups of them, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA), help="default: all")
    parser.add_argument("--weights", type=Path, help="MobileNetV2's ImageNet weights without top; without: fetched")
    parser.add_argument("--seeds", type=int, default=12, help="runs of each params; default: %(default)s")
    parser.add_argument("--plot", type=Path, help="SVG file to draw; needs matplotlib")
    options = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    weights = str(options.weights.resolve()) if options.weights else "imagenet"
    drawn: dict[str, dict[int, float]] = {}
    rows = []
    for data in options.data:
        params, change = DATA[data]
        own = params | ({"model.encoder_weights": weights} if data == "pets" else {})
        base = trained(data, own, seeds, options.work / data / "base")
        changed = trained(f"{data}, changed", own | change, seeds, options.work / data / "changed")
        print(f"\n{data}: mean IoU {spread(base)}, changed {spread(changed)}", flush=True)
        pairs = {f"{data}: same params": (base, None), f"{data}: same changed params": (changed, None)}
        for title, (first, other) in (pairs | {f"{data}: {_written(change)}": (base, changed)}).items():
            most = options.seeds if other else options.seeds // 2
            counts = [count for count in (1, 2, 3, 4, 5, 6, 8, 10, 12) if count <= most]
            found = {count: shares(first, other, count) for count in counts}
            rows += [f"| {title} | {count} | {a:.1%} | {b:.1%} |" for count, (a, b) in found.items()]
            drawn[title] = {count: (a if other else b) for count, (a, b) in found.items() if count >= 4}
    print("\n| sides | seeds a side | mean IoU told apart | any metric told apart |\n|---|---|---|---|")
    print("\n".join(rows))
    if options.plot:
        plot(drawn, options.plot)


def _written(change: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in change.items())


if __name__ == "__main__":
    main()
