"""Oxford-IIIT Pet at 128x128: TensorFlow's segmentation tutorial and this pipeline with the same images and epochs.

The tutorial's recipe is written in plain Keras: its modified U-Net on a frozen MobileNetV2, Adam 0.001, random flips,
cross-entropy, batches of 64, 20 epochs on all train images; the model of the last epoch is kept. The pipeline trains
the recipe `pets` at 128x128 on the same images except the tenth that it holds out to select the best epoch. Both are
scored on the test split with one confusion matrix. Needs the TFDS data set (TFDS_DATA_DIR, or the network) and
MobileNetV2's ImageNet weights:

    TFDS_DATA_DIR=... python benchmarks/pet_tutorial.py --weights mobilenet_v2_1.0_224_no_top.weights.h5 --seeds 1 2 3
"""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from pipeline import mean_and_range, recipe_params, run_stages  # noqa: E402

from maskline.contracts.classes import Role  # noqa: E402
from maskline.contracts.manifest import read_manifest  # noqa: E402
from maskline.metrics.confusion import confusion_matrices  # noqa: E402
from maskline.metrics.scores import iou, mean_over_classes, pixel_accuracy  # noqa: E402
from maskline.models.files import load_model  # noqa: E402
from maskline.shards.read.reader import ShardReader  # noqa: E402

SIZE = {"preprocess.height": 128, "preprocess.width": 128}
OURS = {**recipe_params(ROOT / "recipes/pets"), **SIZE}


def images_of(shards: Path, *roles: Role) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [N, H, W, 3] and labels uint8 [N, H, W] of splits."""
    manifest = read_manifest(shards)
    readers = [ShardReader(shards, manifest, role) for role in roles]
    parts = [reader.read(range(len(reader))) for reader in readers]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def tutorial_network(weights: Path | None, classes: int) -> keras.Model:
    """Build the tutorial's network, with its encoder frozen."""
    base = keras.applications.MobileNetV2(input_shape=(128, 128, 3), include_top=False, weights=None)
    if weights:
        base.load_weights(weights)
    names = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
    features = [base.get_layer(name).output for name in (*names, "block_16_project")]
    encoder = keras.Model(base.input, features)
    encoder.trainable = False
    inputs = keras.Input((128, 128, 3))
    *skips, x = encoder(inputs)
    for channels, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        x = keras.layers.Conv2DTranspose(
            channels,
            3,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
        )(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.Concatenate()([x, skip])
    return keras.Model(inputs, keras.layers.Conv2DTranspose(classes, 3, strides=2, padding="same")(x))


def tutorial_data(images: np.ndarray, labels: np.ndarray, seed: int) -> tf.data.Dataset:
    """Shuffle, batch by 64 and flip images uint8 [N, H, W, 3] and labels uint8 [N, H, W], as the tutorial does."""
    flip = keras.layers.RandomFlip("horizontal", seed=seed)

    def augment(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        both = flip(tf.concat([tf.cast(image, tf.float32), tf.cast(label, tf.float32)[..., None]], axis=-1))
        return both[..., :3] / 127.5 - 1.0, both[..., 3]

    data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(1000, seed=seed).batch(64).map(augment)
    options = tf.data.Options()
    options.autotune.enabled = False  # its threads delay the end of each epoch and do not change the result
    return data.prefetch(2).with_options(options)


def train_tutorial(shards: Path, weights: Path, seed: int) -> np.ndarray:
    """Train with the tutorial's recipe, and return the predicted labels of the test images, [N, H, W]."""
    keras.utils.set_random_seed(seed)
    images, labels = images_of(shards, "train", "validation")
    network = tutorial_network(weights, 3)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(tutorial_data(images, labels, seed), epochs=20, verbose=0)
    test, _ = images_of(shards, "test")
    return np.argmax(network.predict(test / 127.5 - 1.0, verbose=0), axis=-1)


def score(labels: np.ndarray, predictions: np.ndarray, classes: int = 3) -> list[float]:
    """Return pixel accuracy, mean IoU and the IoU of each class."""
    matrix = confusion_matrices(np.asarray(labels), np.asarray(predictions), classes).sum(axis=0)
    return [float(pixel_accuracy(matrix)), float(mean_over_classes(iou(matrix))), *iou(matrix).tolist()]


def main() -> None:
    """Train both with each seed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="MobileNetV2 without top, .h5")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("pet_benchmark.partial"), help="folder for the runs")
    options = parser.parse_args()
    results: dict[str, list[list[float]]] = {"tutorial": [], "maskline": []}
    for seed in options.seeds:
        folder = options.work / str(seed)
        changes = OURS | {"seed": seed, "model.encoder_weights": str(options.weights.resolve())}
        run_stages(folder, changes, ("download", "preprocess", "train"))
        images, labels = images_of(folder / "data/shards", "test")
        model = load_model(folder / "data/model/model.keras")
        ours = np.concatenate([np.argmax(model(images[i : i + 16]), axis=-1) for i in range(0, len(images), 16)])
        results["maskline"].append(score(labels, ours))
        theirs = train_tutorial(folder / "data/shards", options.weights.resolve(), seed)
        results["tutorial"].append(score(labels, theirs))
        print(
            f"seed {seed}: tutorial {results['tutorial'][-1][:2]}, maskline {results['maskline'][-1][:2]}", flush=True
        )
    print("\n| recipe | pixel accuracy | mean IoU | pet | background | border |\n|---|---|---|---|---|---|")
    for name, rows in results.items():
        columns = (mean_and_range(column) for column in zip(*rows, strict=True))
        print(f"| {name} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
