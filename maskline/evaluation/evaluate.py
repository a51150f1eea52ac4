"""From a saved model and the test split to counts, metrics and pictures."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskline.contracts.manifest import NAME as MANIFEST
from maskline.contracts.manifest import Manifest, read_manifest
from maskline.errors import InputError
from maskline.evaluation.counting import count_split
from maskline.evaluation.counts import layout, new_counts
from maskline.evaluation.figures import confusion_table, figures, image_table, plot_tables
from maskline.evaluation.gallery import write_gallery
from maskline.evaluation.predict.inference import Inference, compiled_predictor
from maskline.evaluation.refine.crf import CrfParams, refined_by_crf
from maskline.evaluation.refine.grabcut import GrabCutParams, refined_by_grabcut
from maskline.evaluation.subject import Refine, Subject
from maskline.files.artifacts import new_directory, sha256, write_csv, write_json
from maskline.metrics.boundary import TRIMAP_DISTANCES
from maskline.metrics.calibration import BINS
from maskline.metrics.conventions import MEANINGS
from maskline.models.files import load_model
from maskline.models.segmentation import SegmentationModel
from maskline.params.evaluate import EvaluateParams
from maskline.shards.read.originals import Originals
from maskline.shards.read.reader import ShardReader


def evaluate(
    raw: Path,
    shards: Path,
    model_file: Path,
    out: Path,
    metrics: Path,
    *,
    params: EvaluateParams,
    batch_size: int,
    seed: int,
) -> None:
    """Score the model on the test split.

    Args:
        raw: the prepared data set, read where images are scored at their own size.
        shards: folder of shards and manifest.
        model_file: the .keras file.
        out: folder to make, of counts.npz, about.json, images.csv, pictures.json and pictures/.
        metrics: folder in which evaluation.json, confusion.csv, the other tables and samples/ are written.
        params: how to predict and score.
        batch_size: images predicted at once.
        seed: of the bootstrap.

    Raises:
        InputError: the shards are not whole, or the model is damaged, knows other classes, or cannot do what `params`
            ask for.
    """
    tf.config.experimental.enable_op_determinism()
    manifest = read_manifest(shards)
    names, colors = [c.name for c in manifest.classes], [c.color for c in manifest.classes]
    model = _model(model_file, names, shards)
    reader = ShardReader(shards, manifest, "test")
    originals = Originals(raw, "test", reader.names) if params.resolution == "native" else None
    predict = compiled_predictor(model, _inference(params))
    subject = Subject(reader, originals, params.window is not None, predict, _refine(params))
    with new_directory(out) as folder:
        shapes = layout(len(names), len(TRIMAP_DISTANCES), BINS)
        with new_counts(folder, reader.names, shapes) as counts:
            count_split(subject, batch_size, counts)
            found = figures(counts, names, batch_size, seed)
            tables = plot_tables(counts, names, found)
            confusions = confusion_table(counts["matrices"].sum(axis=0), names)
            write_csv(folder / "images.csv", image_table(reader.names, counts, names))
            gallery = write_gallery(folder, metrics / "samples", subject, counts, names, colors, params.samples)
            write_json(folder / "pictures.json", gallery)
        write_json(folder / "about.json", _about(manifest, sha256(shards / MANIFEST), params))
    for name, table in {"confusion": confusions, **tables}.items():
        write_csv(metrics / f"{name}.csv", table)
    write_json(metrics / "evaluation.json", found)


def _model(path: Path, names: Sequence[str], shards: Path) -> SegmentationModel:
    model = load_model(path)
    if model.class_names != list(names):
        raise InputError(
            f"{path} knows the classes {', '.join(model.class_names)}, but {shards} has {', '.join(names)}; "
            "run `dvc repro train`."
        )
    return model


def _inference(params: EvaluateParams) -> Inference:
    return Inference(params.flip, tuple(params.scales), params.window, params.dropout_samples)


def _refine(params: EvaluateParams) -> Refine | None:
    if params.refine == "none":
        return None
    if params.refine == "crf":
        field = CrfParams(**params.crf.model_dump())
        return lambda image, probabilities: refined_by_crf(image, probabilities, field).argmax(axis=-1)
    return partial(refined_by_grabcut, params=GrabCutParams())


def _about(manifest: Manifest, digest: str, params: EvaluateParams) -> dict[str, Any]:
    """Return what counts must share to be compared, how they came about, and what the conventions mean."""
    test_split = manifest.splits["test"].model_dump_json().encode()
    return {
        "classes": [c.name for c in manifest.classes],
        "shards": digest,
        "test_split": hashlib.sha256(test_split).hexdigest(),
        "resolution": params.resolution,
        "inference": params.model_dump(exclude={"resolution", "samples"}),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__},
        "conventions": MEANINGS,
    }
