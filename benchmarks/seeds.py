"""How often `maskline compare` finds a difference between runs that differ in the seed only, or in one param.

A MobileNetV2 U-Net with ImageNet weights is trained on CamVid at 96x128 with several seeds, with the project's loss and
without its Dice term. Runs with the same loss are compared in pairs, and each run with Dice is compared with the run
without Dice of the same seed. Finished runs are not repeated:

    python benchmarks/seeds.py --camvid .../CamVid --weights mobilenet_v2_1.0_224_no_top.weights.h5 --work seeds
"""

import argparse
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pipeline import result_of, run_stages  # noqa: E402

from maskline.comparison.compare import Comparison, Result, compare  # noqa: E402

TRAINING = {
    "dataset.name": "camvid",
    "preprocess.height": 96,
    "preprocess.width": 128,
    "model.architecture": "unet_pix2pix",
    "model.encoder": "mobilenet_v2",
    "augment.scale": 0.2,
    "train.batch_size": 8,
    "train.learning_rate": 0.002,
}
LOSSES = {"cross-entropy and Dice": {}, "cross-entropy alone": {"train.loss.dice": 0.0}}
STAGES = ("download", "preprocess", "train", "evaluate")
RESAMPLES = 10_000
VERDICTS = ("better", "worse", "can't tell", "the same")


def finished_result(name: str, changes: dict, folder: Path) -> Result:
    """Run the pipeline in `folder` if it is not finished, and return the counts of evaluate."""
    if not (folder / "data/evaluation").exists():
        run_stages(folder, changes, STAGES)
    return result_of(name, folder)


def verdicts(title: str, comparisons: Iterable[Comparison]) -> None:
    """Print how often each verdict is given for mean IoU and for all metrics."""
    rows = [comparison.rows for comparison in comparisons]
    for metric in ("mean_iou", None):
        found = Counter(row.verdict for each in rows for row in each if metric in (row.metric, None))
        shares = " | ".join(f"{found[verdict]}" for verdict in VERDICTS)
        print(f"| {title} | {metric or 'all metrics'} | {found.total()} | {shares} |")


def main() -> None:
    """Train the models that are not trained yet, compare them, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camvid", type=Path, required=True, help="CamVid in SegNet's form")
    parser.add_argument("--weights", type=Path, required=True, help="MobileNetV2's ImageNet weights without top")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=4, help="runs of each loss; default: %(default)s")
    options = parser.parse_args()
    paths = {
        "dataset.path": str(options.camvid.resolve()),
        "model.encoder_weights": str(options.weights.resolve()),
    }
    runs = {
        loss: [
            finished_result(
                f"{loss}, seed {seed}", TRAINING | paths | changes | {"seed": seed}, options.work / f"{i}-{seed}"
            )
            for seed in range(1, options.seeds + 1)
        ]
        for i, (loss, changes) in enumerate(LOSSES.items())
    }
    print(f"\n{len(runs['cross-entropy alone'][0].filenames)} test images\n")
    print(f"| pairs of runs | metric | verdicts | {' | '.join(VERDICTS)} |\n|---|---|---|---|---|---|---|")
    for loss, each in runs.items():
        verdicts(f"{loss}, two seeds", (compare(a, b, RESAMPLES, 1) for a, b in itertools.combinations(each, 2)))
    pairs = zip(*runs.values(), strict=True)
    verdicts("with Dice and without, same seed", (compare(a, b, RESAMPLES, 1) for a, b in pairs))


if __name__ == "__main__":
    main()
