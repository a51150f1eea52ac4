"""What each augmentation alone brings on Oxford-IIIT Pet at 128x128, by the validation split.

A U-Net on MobileNetV2 with ImageNet weights is trained without augmentation, and with each augmentation alone, with
several seeds. Three tenths of the train images are held out for validation; the test images are never read. What lies
outside of a zoomed or rotated image is its reflection; two more rows fill it with black or with the image's mean color,
and its labels with void. Each figure is that of the last epoch, so that no epoch is chosen. Finished runs are not
repeated. Needs the TFDS data set (TFDS_DATA_DIR, or the network) and the weights:

    TFDS_DATA_DIR=... python benchmarks/augmentations.py --weights mobilenet_v2_1.0_224_no_top.weights.h5 --work pets
    ... --seeds 1 2 3 --epochs 20 --only none flip "reflected outside" "black and void outside"
"""

import argparse
import csv
import os
import runpy
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from pipeline import run_stages, write_pipeline  # noqa: E402

from maskline.contracts.classes import VOID  # noqa: E402
from maskline.contracts.fit import Size  # noqa: E402
from maskline.shards.read import views  # noqa: E402

TRAINING = {
    "dataset.name": "oxford_iiit_pet",
    "dataset.validation_fraction": 0.3,
    "model.architecture": "unet_pix2pix",
    "model.encoder": "mobilenet_v2",
    "model.width": 32,
    "augment.flip": False,
    "train.learning_rate": 0.001,
    "train.ema": 0.98,
}
AWAY = {"scale": 0.5, "rotation": 30.0}  # shows much of what lies outside
INPUTS = ("raw", "shards", "weights")


def constant_outside(by_mean: bool, image: np.ndarray, labels: np.ndarray, transform: np.ndarray, seen: Size) -> None:
    """Resample as `views` does, but fill what lies outside with the image's mean color, or with black, and void."""
    color = cv2.mean(image) if by_mean else (0.0, 0.0, 0.0, 0.0)
    moved = cv2.warpAffine(image, transform, seen[::-1], flags=views._LINEAR, borderValue=color)
    masks = cv2.warpAffine(labels, transform, seen[::-1], flags=views._NEAREST, borderValue=float(VOID))
    image[: seen[0], : seen[1]], labels[: seen[0], : seen[1]] = moved, masks


class Row(NamedTuple):
    """A row of the table: the augmentation, and what resamples images instead of the project's own function."""

    augment: Mapping[str, Any]
    resample: Callable[..., None] | None = None


ROWS = {
    "none": Row({}),
    "flip": Row({"flip": True}),
    "flip_vertical": Row({"flip_vertical": True}),
    "quarter_turns": Row({"quarter_turns": True}),
    "scale 0.25": Row({"scale": 0.25}),
    "rotation 15": Row({"rotation": 15.0}),
    "translation 0.1": Row({"translation": 0.1}),
    "crop 96x96": Row({"crop": [96, 96]}),
    "crop 96x96, crop_rare 0.5": Row({"crop": [96, 96], "crop_rare": 0.5}),
    "copy_paste 0.5": Row({"copy_paste": 0.5}),
    "brightness 0.1": Row({"brightness": 0.1}),
    "contrast 0.2": Row({"contrast": 0.2}),
    "saturation 0.2": Row({"saturation": 0.2}),
    "hue 20": Row({"hue": 20.0}),
    "blur 1": Row({"blur": 1.0}),
    "reflected outside": Row(AWAY),
    "black and void outside": Row(AWAY, partial(constant_outside, False)),
    "mean color and void outside": Row(AWAY, partial(constant_outside, True)),
}


def train(row: Row, folder: Path) -> None:
    """Run the train stage in a folder, in this process."""
    if row.resample:
        views._resample = row.resample
    os.chdir(folder)
    sys.path.insert(0, str(ROOT / "stages"))
    sys.argv = ["train.py"]
    runpy.run_path(str(ROOT / "stages/train.py"), run_name="__main__")


def last_score(name: str, seed: int, options: argparse.Namespace) -> float:
    """Train, unless it is done, and return the last epoch's validation mean IoU."""
    changes = options.training | {f"augment.{key}": value for key, value in ROWS[name].augment.items()} | {"seed": seed}
    folder = options.work / f"{name.replace(' ', '_')}-{seed}-{options.epochs}"
    history = folder / "data/model/history.csv"
    if not history.exists():
        write_pipeline(folder, changes)
        (folder / "data").mkdir(exist_ok=True)
        for each in INPUTS:
            link = folder / "data" / each
            if not link.exists():
                link.symlink_to((options.work / "inputs/data" / each).resolve())
        command = [sys.executable, __file__, "--weights", options.weights, "--work", options.work]
        subprocess.run([*command, "--child", name, str(folder)], check=True)
    with open(history, newline="") as file:
        return float(list(csv.DictReader(file))[-1]["validation_mean_iou"])


def main() -> None:
    """Train what is not trained yet, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="MobileNetV2's ImageNet weights without top, .h5")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    parser.add_argument("--epochs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), help="rows; default: all")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        train(ROWS[options.child[0]], Path(options.child[1]))
        return
    weights = {"model.encoder_weights": str(options.weights.resolve())}
    options.training = TRAINING | weights | {"train.epochs": options.epochs}
    if not (options.work / "inputs/data/shards").exists():
        run_stages(options.work / "inputs", options.training, ["download", "preprocess"])
    names = list(dict.fromkeys(["none", *options.only]))
    scores = {name: [last_score(name, seed, options) for seed in options.seeds] for name in names}
    print(
        f"\n| augmentation alone | mean IoU, {len(options.seeds)} seeds (lowest to highest) | minus none, same seed |"
    )
    print("|---|---|---|")
    for name, found in scores.items():
        gains = [one - other for one, other in zip(found, scores["none"], strict=True)]
        cells = (
            f"{statistics.mean(each):{form}} ({min(each):{form}} to {max(each):{form}})"
            for each, form in ((found, ".4f"), (gains, "+.4f"))
        )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
