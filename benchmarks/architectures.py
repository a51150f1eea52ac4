"""Every architecture with equal training, on `shapes` and on CamVid at a small size: one table and one plot.

All train from the same seed for the same epochs with the same batches, optimizer, loss and augmentation, at width 16
and dropout 0.1, with MobileNetV2 as encoder if possible, from random weights on shapes and ImageNet weights on CamVid.
SegNet and Bayesian SegNet need max-pooling and use VGG16 with batch normalization. ENet uses its own encoder at its
paper's width, because it is small by design. These three start from random weights.
Each architecture is trained in its own process, whose peak memory is measured. Speed is measured afterwards in one
process, in which all architectures take turns. Needs CamVid (SegNet's form) and MobileNetV2's ImageNet weights; the
plot needs matplotlib. An interrupted run resumes:

    python benchmarks/architectures.py --camvid .../CamVid --weights mobilenet_v2_1.0_224_no_top.weights.h5
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pipeline import changed_params, run_stages  # noqa: E402
from tqdm import tqdm  # noqa: E402

from maskline.models.catalogue import NETWORKS  # noqa: E402
from maskline.params.check import Params  # noqa: E402

TRAINING = {
    "model.width": 16,
    "model.dropout": 0.1,
    "augment.scale": 0.2,
    "train.epochs": 8,
    "train.batch_size": 8,
    "train.learning_rate": 0.002,
}
WIDTHS = {"enet": 64}
DATA = {
    "shapes": {"dataset.name": "shapes", "preprocess.height": 64, "preprocess.width": 64},
    "camvid": {"dataset.name": "camvid", "preprocess.height": 64, "preprocess.width": 96},
}
SPEED_DATA, SPEED_BATCH, SPEED_STEPS = "camvid", 8, 4
AREA = 40  # of a circle in the plot, for a million parameters


def params_of(architecture: str, data: str, options: argparse.Namespace) -> Params:
    """Return the params that train an architecture on a data set."""
    encoders = NETWORKS[architecture].encoders
    encoder = "mobilenet_v2" if "mobilenet_v2" in encoders else encoders[0]
    pretrained = data == "camvid" and encoder == "mobilenet_v2"
    weights = str(options.weights.resolve()) if pretrained else "none"
    changes = {"model.architecture": architecture, "model.encoder": encoder, "model.encoder_weights": weights}
    if architecture in WIDTHS:
        changes["model.width"] = WIDTHS[architecture]
    return Params.model_validate(changed_params(TRAINING | DATA[data] | changes))


def prepare(data: str, options: argparse.Namespace) -> None:
    """Write a data set's shards, unless they exist."""
    if not (options.work / data / "data/shards/manifest.json").exists():
        path = {"dataset.path": str(options.camvid.resolve())} if data == "camvid" else {}
        run_stages(options.work / data, TRAINING | DATA[data] | path, ("download", "preprocess"))


def train_and_score(architecture: str, data: str, options: argparse.Namespace) -> float:
    """Train, and return the mean IoU on the test split."""
    import tensorflow as tf

    from maskline.contracts.manifest import read_manifest
    from maskline.datasets.weights import prepare_weights
    from maskline.metrics.confusion import confusion_matrices
    from maskline.metrics.scores import iou, mean_over_classes
    from maskline.models.files import load_model
    from maskline.shards.read.batches import ordered_batches
    from maskline.shards.read.reader import ShardReader
    from maskline.training.train import train

    shards, folder = options.work / data / "data/shards", options.work / data / architecture
    params = params_of(architecture, data, options)
    prepare_weights(params.model, folder / "weights")
    train(
        shards,
        folder / "weights",
        folder / "model",
        folder / "checkpoints",
        seed=params.seed,
        model=params.model,
        augment=params.augment,
        params=params.train,
        code="",
    )
    model = load_model(folder / "model/model.keras")
    predict = tf.function(lambda images: tf.argmax(model(images), axis=-1), reduce_retracing=True)
    manifest = read_manifest(shards)
    matrix = sum(
        confusion_matrices(labels.numpy(), predict(images).numpy(), len(manifest.classes)).sum(axis=0)
        for images, labels in ordered_batches(ShardReader(shards, manifest, "test"), 8)
    )
    return round(float(mean_over_classes(iou(matrix))), 4)


def child(architecture: str, options: argparse.Namespace) -> None:
    """Train one architecture on every data set, and write its figures."""
    begun = time.monotonic()
    scores = {data: train_and_score(architecture, data, options) for data in DATA}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    params = params_of(architecture, SPEED_DATA, options)
    figures = {
        "encoder": params.model.encoder,
        **{f"mean_iou_{data}": score for data, score in scores.items()},
        "peak_gib": round(peak, 2),
        "minutes": round((time.monotonic() - begun) / 60, 1),
    }
    (options.work / f"{architecture}.json").write_text(json.dumps(figures))


def build(architecture: str, options: argparse.Namespace) -> Any:
    """Build the network for CamVid with random weights."""
    from maskline.models.segmentation import SegmentationModel

    model = params_of(architecture, SPEED_DATA, options).model
    return SegmentationModel(
        architecture,
        model.encoder,
        [str(index) for index in range(11)],
        ["#000000"] * 11,
        width=model.width,
        dropout=model.dropout,
        freeze_encoder=False,
        precision="float32",
        output_stride=model.encoder_stride,
        coarse=model.coarse,
    )


def gigaflops(model: Any, height: int, width: int) -> float:
    """Return the floating-point operations of predicting one image, in 10^9; a multiplication and an addition are two.

    Height and width must be multiples of the model's stride.
    """
    import tensorflow as tf

    image = tf.TensorSpec((1, height, width, 3), tf.float32)
    once = tf.function(lambda x: model.network(x, training=False)["logits"]).get_concrete_function(image)
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    operations = tf.compat.v1.profiler.profile(once.graph, options=options).total_float_ops
    return operations * max(1, model.architecture.samples) / 1e9


def measure_speed(names: list[str], rounds: int, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return parameters, GFLOPs and images/s of training and inference; the networks take turns."""
    import keras
    import numpy as np
    import tensorflow as tf

    from maskline.training.losses import cross_entropy
    from maskline.training.trainer import Trainer

    height, width = (DATA[SPEED_DATA][f"preprocess.{side}"] for side in ("height", "width"))
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (SPEED_BATCH, height, width, 3), np.uint8))
    labels = tf.constant(rng.integers(0, 11, (SPEED_BATCH, height, width), np.uint8))
    work, found, seconds = {}, {}, {}
    for name in tqdm(names, desc="tracing", disable=None):
        model = build(name, options)
        trainer = Trainer(model, cross_entropy, keras.optimizers.Adam(1e-3), ema=0.0)
        predict = tf.function(lambda x, model=model: tf.argmax(model(x), axis=-1))
        work[name, "train"] = lambda step=trainer.step: step(images, labels)
        work[name, "predict"] = lambda predict=predict: predict(images)
        count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        found[name] = {"parameters": count, "gflops": round(gigaflops(model, height, width), 2)}
        for kind in ("train", "predict"):
            work[name, kind]()
    for _ in tqdm(range(rounds), desc="rounds", disable=None):
        for key, once in work.items():
            begun = time.perf_counter()
            for _ in range(SPEED_STEPS):
                once()
            tf.test.experimental.sync_devices()
            rate = SPEED_STEPS * SPEED_BATCH / (time.perf_counter() - begun)
            seconds.setdefault(key, []).append(rate)
    for (name, kind), rates in seconds.items():
        found[name][f"{kind}_images_s"] = round(statistics.median(rates), 1)
        found[name][f"{kind}_spread"] = [round(min(rates), 1), round(max(rates), 1)]
    return found


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return a Markdown table, sorted by mean IoU on CamVid."""
    head = "network | encoder | mean IoU, shapes | mean IoU, CamVid | parameters, M | GFLOPs | training, images/s | "
    head += "inference, images/s | peak memory, GiB"
    lines = [f"| {head} |", "|" + "---|" * 9]
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["mean_iou_camvid"]):
        speeds = [
            f"{row[f'{kind}_images_s']} ({row[f'{kind}_spread'][0]} to {row[f'{kind}_spread'][1]})"
            for kind in ("train", "predict")
        ]
        cells = [f"`{name}`", row["encoder"], f"{row['mean_iou_shapes']:.3f}", f"{row['mean_iou_camvid']:.3f}"]
        cells += [f"{row['parameters'] / 1e6:.2f}", f"{row['gflops']:.2f}", *speeds, f"{row['peak_gib']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(rows: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw mean IoU on CamVid over inference speed; the area of a circle shows the number of parameters."""
    import plots

    figure, panel = plots.panels(600)
    points = {name: (row["predict_images_s"], row["mean_iou_camvid"]) for name, row in rows.items()}
    areas = [AREA * row["parameters"] / 1e6 for row in rows.values()]
    colors = [plots.ACCENT if row["encoder"] == "mobilenet_v2" else plots.OTHERS for row in rows.values()]
    panel.scatter(*zip(*points.values(), strict=True), s=areas, c=colors, alpha=0.7)
    panel.scatter([], [], c=plots.ACCENT, alpha=0.7, label="MobileNetV2 with ImageNet weights")
    panel.scatter([], [], c=plots.OTHERS, alpha=0.7, label="random weights")
    for millions in (1, 5):
        panel.scatter([], [], s=AREA * millions, c="none", edgecolors=plots.EDGE, label=f"{millions} M parameters")
    plots.log_scale(panel, (1, 2, 3, 5))
    panel.set_xlabel("inference, images/s at 64x96 (log scale)")
    panel.set_ylabel("mean IoU, test images of CamVid")
    panel.margins(0.08)
    plots.legend(figure, 2)
    plots.name_points(panel, points, [area**0.5 / 2 for area in areas])
    plots.save(figure, path)


def main() -> None:
    """Train the architectures that are not trained yet, measure speed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camvid", type=Path, required=True, help="folder of CamVid in SegNet's form")
    parser.add_argument("--weights", type=Path, required=True, help="MobileNetV2 without top, .h5")
    parser.add_argument("--only", nargs="+", default=list(NETWORKS), choices=list(NETWORKS), help="architectures")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the speed measurement; 0: none")
    parser.add_argument("--plot", type=Path, help="SVG file to draw; needs matplotlib")
    parser.add_argument(
        "--work", type=Path, default=Path("architectures_benchmark.partial"), help="folder for the runs"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.child, options)
    for data in DATA:
        prepare(data, options)
    for name in tqdm(options.only, desc="training", disable=None):
        if not (options.work / f"{name}.json").exists():
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--child", name], check=True)
    if options.rounds:
        rows = measure_speed(options.only, options.rounds, options)
        for name, row in rows.items():
            row |= json.loads((options.work / f"{name}.json").read_text())
        (options.work / "table.json").write_text(json.dumps(rows, indent=1))
        print(table(rows))
        if options.plot:
            plot(rows, options.plot)
    return None


if __name__ == "__main__":
    main()
