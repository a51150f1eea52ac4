"""Training speed at 128x128 of TensorFlow's segmentation tutorial and of this pipeline.

All take turns, round by round, on the same train and validation images, which are in memory for the tutorial and in
shards for the others:

- the tutorial: its modified U-Net on a frozen MobileNetV2, Adam 0.001, random flips, cross-entropy, batches of 64,
  through Keras's `fit` with its accuracy metric and validation in every epoch;
- maskline with the same network, batch, optimizer and loss;
- the same in mixed bfloat16, which CPUs with AVX-512 BF16 and most accelerators support in hardware;
- maskline's own recipe for Oxford-IIIT Pet, `recipes/pets`, which also trains the encoder;
- the same with every augmentation, on whole images and on crops of 96x96.

Images per second are those of the epochs after the first, including validation and checkpoints. "Waited" is the share
of that time in which a step waited for its batch. Seconds to a validation mean IoU count from before the first step,
including tracing. Both are scored with one confusion matrix, for which the tutorial's clock is stopped. Without
--weights the encoder has random weights, and only the speeds are meaningful.

    python benchmarks/training.py
    TFDS_DATA_DIR=... python benchmarks/training.py --dataset oxford_iiit_pet \\
        --weights mobilenet_v2_1.0_224_no_top.weights.h5
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from pet_tutorial import OURS, images_of, score, tutorial_data, tutorial_network  # noqa: E402
from pipeline import AUGMENTATIONS, changed_params, run_stages  # noqa: E402
from rounds import ratio, spread  # noqa: E402

from maskline.contracts.classes import VOID  # noqa: E402
from maskline.contracts.manifest import read_manifest  # noqa: E402
from maskline.models.segmentation import SegmentationModel  # noqa: E402
from maskline.params.check import Params  # noqa: E402
from maskline.shards.read.augment import augmentation  # noqa: E402
from maskline.shards.read.batches import steps_per_epoch, training_batches  # noqa: E402
from maskline.shards.read.reader import ShardReader  # noqa: E402
from maskline.training.checkpoint import Checkpoints  # noqa: E402
from maskline.training.fit import fit  # noqa: E402
from maskline.training.losses import named_losses, weighted_sum  # noqa: E402
from maskline.training.schedule import optimizer, schedule  # noqa: E402
from maskline.training.trainer import Trainer  # noqa: E402
from maskline.training.validate import Scores, Validator  # noqa: E402

TUTORIAL = {
    "model.architecture": "unet_pix2pix",
    "model.encoder": "mobilenet_v2",
    "model.width": 64,
    "model.freeze_encoder": True,
    "train.batch_size": 64,
    "train.loss.dice": 0.0,
    "train.learning_rate": 0.001,
    "train.schedule": "constant",
    "train.warmup_epochs": 0.0,
}


EVERY = {f"augment.{key}": value for key, value in AUGMENTATIONS.items()}
CROPS = {"augment.crop": [96, 96], "augment.crop_rare": 0.5}


class Run(NamedTuple):
    """One training.

    Attributes:
        curve: seconds and validation mean IoU at the end of each epoch.
        images: images per epoch.
        waited: share of the time in which steps waited for batches.
    """

    curve: list[tuple[float, float]]
    images: int
    waited: float

    def speed(self) -> float:
        """Return images per second after the first epoch."""
        return self.images * (len(self.curve) - 1) / (self.curve[-1][0] - self.curve[0][0])

    def seconds_to(self, mean_iou: float) -> float:
        """Return the seconds until the mean IoU was first reached, or infinity."""
        return next((seconds for seconds, reached in self.curve if reached >= mean_iou), float("inf"))


def tutorial(shards: Path, weights: Path | None, seed: int, epochs: int) -> Run:
    """Train with the tutorial's recipe."""
    keras.utils.set_random_seed(seed)
    images, labels = images_of(shards, "train")
    held, truth = images_of(shards, "validation")
    network = tutorial_network(weights, len(read_manifest(shards).classes))
    void = VOID if (labels == VOID).any() else None  # the tutorial's data set has none
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=void)
    network.compile("adam", loss, metrics=["accuracy"])
    validation = tf.data.Dataset.from_tensor_slices((held / np.float32(127.5) - 1, truth)).batch(64)
    curve: list[tuple[float, float]] = []
    paused, begun = 0.0, time.perf_counter()

    def record(epoch: int, logs: dict) -> None:
        nonlocal paused
        stopped = time.perf_counter()
        predictions = np.argmax(network.predict(held / np.float32(127.5) - 1, verbose=0), axis=-1)
        curve.append((stopped - begun - paused, score(truth, predictions, network.output_shape[-1])[1]))
        paused += time.perf_counter() - stopped

    callback = keras.callbacks.LambdaCallback(on_epoch_end=record)
    network.fit(
        tutorial_data(images, labels, seed), epochs=epochs, validation_data=validation, verbose=0, callbacks=[callback]
    )
    return Run(curve, len(images), float("nan"))


def ours(shards: Path, weights: Path | None, seed: int, epochs: int, changes: Mapping[str, Any]) -> Run:
    """Train with the project's own loop, including checkpoints and validation as in the train stage."""
    keras.utils.set_random_seed(seed)
    changes = {**changes, "seed": seed, "train.epochs": epochs, "model.encoder_weights": "imagenet"}
    params = Params.model_validate(changed_params(changes))
    manifest = read_manifest(shards)
    reader, held = (ShardReader(shards, manifest, role) for role in ("train", "validation"))
    network = SegmentationModel(
        class_names=[c.name for c in manifest.classes],
        class_colors=[c.color for c in manifest.classes],
        precision=params.train.precision,
        encoder_weights=weights,
        **params.model.model_dump(include={"architecture", "encoder", "width", "dropout", "freeze_encoder"}),
    )
    loss = weighted_sum(params.train.loss.model_dump(), named_losses(params.train.loss_options, None))
    steps = steps_per_epoch(len(reader), params.train.batch_size)
    rate = schedule(params.train, steps)
    trainer = Trainer(network, loss, optimizer(params.train, rate), params.train.ema)
    validator, curve = Validator(network, loss, held, params.train.batch_size), []
    waits: list[float] = []
    begun = time.perf_counter()

    def validate() -> Scores:
        scores = validator()
        curve.append((time.perf_counter() - begun, scores.mean_iou))
        return scores

    def batches(wanted: range) -> Iterator:
        change = augmentation(params.augment, reader)
        size = params.augment.seen(reader.size)
        return timed(training_batches(reader, params.train.batch_size, change, seed, wanted, size=size), waits)

    with tempfile.TemporaryDirectory() as folder:
        fit(trainer, validate, batches, rate, params.train, Checkpoints(Path(folder), seed))
    after_first = curve[-1][0] - curve[0][0]
    return Run(curve, steps * min(params.train.batch_size, len(reader)), sum(waits[steps:]) / after_first)


def timed(batches: Iterable, waits: list[float]) -> Iterator:
    """Yield batches, and record the time spent waiting for each."""
    iterator = iter(batches)
    while True:
        begun = time.perf_counter()
        try:
            batch = next(iterator)
        except StopIteration:
            return
        waits.append(time.perf_counter() - begun)
        yield batch


CONTESTANTS: dict[str, Callable[..., Run]] = {
    "the tutorial": tutorial,
    "maskline, same recipe": partial(ours, changes=TUTORIAL),
    "maskline, same recipe, bfloat16": partial(ours, changes=TUTORIAL | {"train.precision": "mixed_bfloat16"}),
    "maskline, own recipe": partial(ours, changes=OURS),
    "maskline, own recipe, bfloat16": partial(ours, changes=OURS | {"train.precision": "mixed_bfloat16"}),
    "maskline, own recipe, every augmentation": partial(ours, changes=OURS | EVERY),
    "maskline, own recipe, every augmentation, crops": partial(ours, changes=OURS | EVERY | CROPS),
}


def print_table(runs: dict[str, list[Run]], target: float) -> None:
    """Print medians with their range, and the medians of the ratios to the first training within each round."""
    speeds = {name: [run.speed() for run in rounds] for name, rounds in runs.items()}
    first = next(iter(speeds.values()))
    print(f"\n| | images/s (lowest to highest) | of the first | waited | seconds to {target} | best mean IoU |")
    print("|---" * 6 + "|")
    for name, rounds in runs.items():
        seconds = [run.seconds_to(target) for run in rounds]
        reached = ", ".join(f"{one:.0f}" if np.isfinite(one) else "never" for one in seconds)
        best = ", ".join(f"{max(mean_iou for _, mean_iou in run.curve):.3f}" for run in rounds)
        waited = max(run.waited for run in rounds)
        print(
            f"| {name} | {spread(speeds[name], '.1f')} | {ratio(speeds[name], first):.2f} | "
            f"{'' if np.isnan(waited) else f'{waited:.2%}'} | {reached} | {best} |"
        )


def plot(runs: dict[str, list[Run]], path: Path) -> None:
    """Draw validation mean IoU over seconds, one line for each run; dashes show bfloat16."""
    import plots

    figure, panel = plots.panels(480)
    recipes = {name: name.removesuffix(", bfloat16") for name in runs}
    own = dict.fromkeys(recipe for recipe in recipes.values() if recipe != "the tutorial")
    looks = {"the tutorial": plots.OTHER, **dict(zip(own, plots.SERIES, strict=False))}
    for name, rounds in runs.items():
        dashes = "-" if name == recipes[name] else "--"
        for run in rounds:
            panel.plot(*zip(*run.curve, strict=True), **looks[recipes[name]], linestyle=dashes, label=name)
    panel.set_xlabel("seconds from before the first step")
    panel.set_ylabel("validation mean IoU")
    panel.set_xlim(left=0)
    plots.legend(figure, 1)
    plots.save(figure, path)


def main() -> None:
    """Run all trainings in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="shapes", help="dataset.name, as in params.yaml; default: %(default)s")
    parser.add_argument("--weights", type=Path, help="MobileNetV2 without top, .h5")
    parser.add_argument("--rounds", type=int, default=3, help="each with its own seed; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--target", type=float, default=0.6, help="validation mean IoU; default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), help="default: all")
    parser.add_argument("--plot", type=Path, help="SVG file to draw; needs matplotlib")
    options = parser.parse_args()
    tf.config.experimental.enable_op_determinism()  # as in the train stage
    weights = options.weights and options.weights.resolve()
    with tempfile.TemporaryDirectory() as folder:
        run_stages(Path(folder), {"dataset.name": options.dataset}, ("download", "preprocess"))
        shards = Path(folder) / "data/shards"
        runs: dict[str, list[Run]] = {name: [] for name in options.only}
        for seed in range(1, options.rounds + 1):
            for name in options.only:
                keras.backend.clear_session()
                runs[name].append(CONTESTANTS[name](shards, weights, seed, options.epochs))
                print(f"seed {seed}, {name}: {runs[name][-1]}", flush=True)
        print_table(runs, options.target)
        if options.plot:
            plot(runs, options.plot)


if __name__ == "__main__":
    main()
