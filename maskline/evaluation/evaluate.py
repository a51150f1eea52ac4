"""From a saved model and the test shards to confusion matrices, metrics and pictures."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from maskline.artifacts import new_directory, npz_bytes, write_bytes, write_csv, write_json
from maskline.classes import VOID
from maskline.errors import InputError
from maskline.evaluation.confusion import confusion_matrices
from maskline.evaluation.metrics import iou, mean_over_classes, pixel_accuracy, rounded, summary
from maskline.evaluation.pictures import errors, paint, shade, strip
from maskline.models.files import load_model
from maskline.models.segmentation import SegmentationModel
from maskline.shards.batches import ordered_batches
from maskline.shards.manifest import read_manifest
from maskline.shards.reader import ShardReader


class Counted(NamedTuple):
    """A split's file names, confusion matrices int64 [N, C, C] and void pixels int64 [N]."""

    names: list[str]
    matrices: np.ndarray
    void: np.ndarray


def evaluate(shards: Path, model_file: Path, out: Path, metrics: Path, batch_size: int, samples: int) -> None:
    """Score the model on the test split.

    Args:
        shards: folder of shards and manifest.
        model_file: the .keras file.
        out: folder to make, of confusion.npz, images.csv, pictures.json and pictures/.
        metrics: folder in which evaluation.json, confusion.csv and samples/ are written.
        batch_size: images predicted at once.
        samples: pictures of each kind.

    Raises:
        InputError: the shards are not whole, or the model is damaged or knows other classes.
    """
    tf.config.experimental.enable_op_determinism()
    manifest = read_manifest(shards)
    model = load_model(model_file)
    names = [c.name for c in manifest.classes]
    if model.class_names != names:
        raise InputError(
            f"{model_file} knows the classes {', '.join(model.class_names)}, but {shards} has {', '.join(names)}; "
            "run `dvc repro train`."
        )
    reader = ShardReader(shards, manifest, "test")
    counted = _count(model, reader, batch_size)
    with new_directory(out) as folder:
        arrays = {"filenames": np.array(counted.names), "matrices": counted.matrices, "void": counted.void}
        write_bytes(folder / "confusion.npz", npz_bytes(arrays))
        write_csv(folder / "images.csv", image_table(counted, names))
        write_json(folder / "pictures.json", _write_pictures(folder, model, reader, counted, samples))
    _write_samples(metrics / "samples", model, reader, samples)
    write_csv(metrics / "confusion.csv", confusion_table(counted.matrices.sum(axis=0), names))
    write_json(metrics / "evaluation.json", summary(counted.matrices, names))


def _count(model: SegmentationModel, reader: ShardReader, batch_size: int) -> Counted:
    classes = len(model.class_names)

    @tf.function(reduce_retracing=True)
    def count(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        predictions = tf.argmax(model(images, training=False), axis=-1, output_type=tf.int32)
        void = tf.math.count_nonzero(labels == VOID, axis=[1, 2])
        return confusion_matrices(labels, predictions, classes), void

    matrices, void = [], []
    with tqdm(total=len(reader), desc="predicting", unit=" images", disable=None) as bar:
        for images, labels in ordered_batches(reader, batch_size):
            of_batch = count(images, labels)
            matrices.append(of_batch[0].numpy())
            void.append(of_batch[1].numpy())
            bar.update(len(labels))
    return Counted(reader.names, np.concatenate(matrices), np.concatenate(void))


def _write_pictures(
    folder: Path, model: SegmentationModel, reader: ShardReader, counted: Counted, samples: int
) -> dict[str, list[dict[str, Any]]]:
    """Write the pictures of the best, worst and random images, and return what to say of each."""
    scores = mean_over_classes(iou(counted.matrices))
    accuracies = pixel_accuracy(counted.matrices)
    scored = [index for index in np.argsort(-scores, kind="stable").tolist() if not np.isnan(scores[index])]
    chosen = {"best": scored[:samples], "worst": scored[::-1][:samples], "random": _random(reader.names, samples)}
    index: dict[str, list[dict[str, Any]]] = {}
    for kind, indices in chosen.items():
        index[kind] = []
        for rank, (example, panels) in enumerate(zip(indices, _panels(model, reader, indices), strict=True)):
            place = f"pictures/{kind}-{rank}"
            (folder / place).mkdir(parents=True)
            for name, pixels in panels.items():
                Image.fromarray(pixels).save(folder / place / f"{name}.png")
            index[kind].append(
                {
                    "filename": reader.names[example],
                    "folder": place,
                    "mean_iou": rounded(scores[example]),
                    "pixel_accuracy": rounded(accuracies[example]),
                }
            )
    return index


def _random(names: Sequence[str], count: int) -> list[int]:
    """Choose by a hash of the name alone, so that two revisions show the same images."""
    return sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())[:count]


def _panels(model: SegmentationModel, reader: ShardReader, indices: Iterable[int]) -> Iterable[dict[str, np.ndarray]]:
    """Yield image, truth, prediction, errors and uncertainty, each uint8 [H, W, 3], one image at a time."""
    for index in indices:
        images, labels = reader.read([index])
        probabilities, uncertainty = model.predicted(images)
        prediction = np.argmax(probabilities[0], axis=-1).astype(np.uint8)
        yield {
            "image": images[0],
            "truth": paint(labels[0], model.class_colors),
            "prediction": paint(prediction, model.class_colors),
            "errors": errors(images[0], labels[0], prediction),
            "uncertainty": shade(uncertainty[0].numpy()),
        }


def _write_samples(folder: Path, model: SegmentationModel, reader: ShardReader, samples: int) -> None:
    with new_directory(folder) as partial:
        for number, panels in enumerate(_panels(model, reader, _random(reader.names, samples)), 1):
            Image.fromarray(strip(list(panels.values()))).save(partial / f"{number}.png")


def confusion_table(matrix: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return one row per pair of classes: actual, predicted, pixels, and the share of the true class's pixels."""
    square = pd.DataFrame(matrix, pd.Index(names, name="actual"), pd.Index(names, name="predicted"))
    table = square.stack().rename("pixels").reset_index()
    table["share"] = (table["pixels"] / np.repeat(matrix.sum(axis=1), len(names))).round(6)
    return table


def image_table(counted: Counted, names: Sequence[str]) -> pd.DataFrame:
    """Return one row per image: filename, void pixels, pixel accuracy, mean IoU, and the IoU of each class."""
    per_class = iou(counted.matrices)
    figures = {
        "filename": counted.names,
        "void_pixels": counted.void,
        "pixel_accuracy": pixel_accuracy(counted.matrices).round(6),
        "mean_iou": mean_over_classes(per_class).round(6),
    }
    return pd.DataFrame(figures | {f"iou.{name}": per_class[:, i].round(6) for i, name in enumerate(names)})
