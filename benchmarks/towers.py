"""Images/s of a training step in one, two and four towers, which take turns, on random images.

The networks and the sizes of images are those of the default params and of the recipes pets and camvid, and DeepLabv3+
of the size of camvid. Batches are of 16 images, and of 8 at the size of camvid. Encoders have random weights:

    python benchmarks/towers.py
    python benchmarks/towers.py --only pets --steps 20
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rounds import ratio, rotated, spread

from maskline.models.segmentation import SegmentationModel
from maskline.training.pixel_losses import cross_entropy
from maskline.training.region_losses import dice
from maskline.training.trainer import Trainer

COUNTS = (1, 2, 4)


class Case(NamedTuple):
    """A network, and what a step sees: a number of images, and their height and width in pixels."""

    architecture: str
    encoder: str
    width: int
    batch: tuple[int, int, int]
    classes: int


CASES = {
    "default": Case("unet", "unet", 16, (16, 128, 128), 7),
    "pets": Case("unet_pix2pix", "mobilenet_v2", 64, (16, 192, 192), 3),
    "camvid": Case("unet_pix2pix", "mobilenet_v2", 32, (8, 240, 320), 11),
    "deeplabv3plus": Case("deeplabv3plus", "mobilenet_v2", 48, (8, 240, 320), 11),
}


def trainer(case: Case, towers: int) -> Trainer:
    """Return the trainer of a new network, the same for any number of towers."""
    keras.utils.set_random_seed(1)
    names = [str(label) for label in range(case.classes)]
    model = SegmentationModel(
        case.architecture, case.encoder, names, ["#000000"] * case.classes, case.width, 0.0, False, "float32"
    )
    optimizer = keras.optimizers.AdamW(0.001)
    return Trainer(model, lambda *pair: cross_entropy(*pair) + dice(*pair), optimizer, 0.99, towers=towers)


def random_batch(case: Case) -> tuple[tf.Tensor, tf.Tensor]:
    """Return images uint8 [B, H, W, 3] and labels uint8 [B, H, W], the same in every process."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (*case.batch, 3), np.uint8)
    return tf.constant(images), tf.constant(random.integers(0, case.classes, case.batch, np.uint8))


def rates(case: Case, steps: int) -> dict[str, list[float]]:
    """Return the images/s of each step, by the number of towers."""
    images, labels = random_batch(case)
    trainers = {str(count): trainer(case, count) for count in COUNTS}
    found: dict[str, list[float]] = {name: [] for name in trainers}
    for number in range(steps + 1):
        for name in rotated(list(trainers), number):
            begun = time.perf_counter()
            trainers[name].step(images, labels)
            trainers[name].loss_sum.numpy()  # waits for the step
            if number:
                found[name].append(case.batch[0] / (time.perf_counter() - begun))
    return found


def main() -> None:
    """Print a table with a row for each network and number of towers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=9, help="of each; default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="default: all")
    options = parser.parse_args()
    tf.config.experimental.enable_op_determinism()
    print("| network | towers | images/s (lowest to highest) | of one |\n|---|---|---|---|")
    for name in options.only:
        found = rates(CASES[name], options.steps)
        for count, values in found.items():
            print(f"| {name} | {count} | {spread(values, '.1f')} | {ratio(values, found['1']):.2f} |", flush=True)


if __name__ == "__main__":
    main()
