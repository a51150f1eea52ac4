"""From a saved model and the held-out splits to counts, metrics, pictures and labels to check."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from maskline.contracts import tables
from maskline.contracts.about import PATH as ABOUT
from maskline.contracts.about import About
from maskline.contracts.audit import HELD_OUT, HeldOut
from maskline.contracts.counts import Counts, new_counts
from maskline.contracts.evaluation import PATH as EVALUATION
from maskline.contracts.evaluation import deciding_figures
from maskline.contracts.figures import PATH as FIGURES
from maskline.contracts.figures import Figures
from maskline.contracts.images import PATH as IMAGES
from maskline.contracts.manifest import PATH as MANIFEST
from maskline.contracts.manifest import Manifest, read_manifest
from maskline.contracts.model_info import Preprocessing
from maskline.contracts.pictures import PATH as PICTURES
from maskline.evaluation.counting import count_split
from maskline.evaluation.figures import figures
from maskline.evaluation.fits import check_classes, check_images
from maskline.evaluation.gallery import write_gallery
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.evaluation.suspects.collection import new_collection
from maskline.evaluation.suspects.writing import collect_batch, collect_split, write_suspects
from maskline.evaluation.tables import calibration_bins, confusion_cells, image_rows, size_rows, trimap_rows
from maskline.files.artifacts import new_directory, sha256, write_json
from maskline.files.records import Record, write_record, write_table
from maskline.metrics.boundary import TRIMAP_DISTANCES
from maskline.metrics.calibration import BINS
from maskline.metrics.conventions import MEANINGS
from maskline.models.files import load_model
from maskline.models.segmentation import SegmentationModel
from maskline.params.evaluate import EvaluateParams
from maskline.prediction.fitting import fitted
from maskline.prediction.inference import Inference, predictor
from maskline.prediction.refine.choice import refinement
from maskline.prediction.refine.crf import CrfParams
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.shards.read.batches import readers_errors
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
    """Score the model on the test split, and list the labels of validation and test to check.

    Args:
        raw: the prepared data set: images are read where they are scored at their own size, else their sizes alone.
        shards: folder of shards and manifest.
        model_file: the .keras file.
        out: folder to make, of counts.npz, about.json, figures.json, images.csv, pictures.json, suspects.json and the
            pictures of the two.
        metrics: folder in which evaluation.json, confusion.csv, the other tables and samples/ are written.
        params: how to predict and score.
        batch_size: images predicted at once.
        seed: of the bootstrap.

    Raises:
        ArtifactError: the shards or the model are damaged, or the model knows other classes, or images of another size
            or fit.
        InputError: the model cannot do what `params` ask for.
    """
    tf.config.experimental.enable_op_determinism()
    manifest = read_manifest(shards)
    splits = _splits(raw, shards, manifest, model_file, params)
    split, names = splits["test"], [c.name for c in manifest.classes]
    about = _about(manifest, sha256(shards / MANIFEST.name), params)
    with new_directory(out) as folder, new_collection(folder, len(names)) as suspects:
        with new_counts(folder, split.reader.names, len(names), len(TRIMAP_DISTANCES), BINS) as counts:
            with readers_errors():
                count_split(split, batch_size, counts, partial(collect_batch, suspects, "test"))
                collect_split(suspects, "validation", splits["validation"], batch_size)
            found = figures(counts, about, batch_size, seed)
            plotted = _plotted(counts, found, names)
            write_table(folder / IMAGES.name, image_rows(counts, names))
            pictures = write_gallery(folder, metrics / "samples", split, counts, manifest.classes, params.samples)
            write_record(folder / PICTURES.name, pictures)
        write_suspects(folder, metrics, raw, splits, suspects, manifest.classes, params.samples)
        write_record(folder / ABOUT.name, about)
        write_record(folder / FIGURES.name, found)
    for name, rows in plotted.items():
        write_table(metrics / name, rows)
    write_json(metrics / EVALUATION.name, deciding_figures(found))


def _splits(
    raw: Path, shards: Path, manifest: Manifest, model_file: Path, params: EvaluateParams
) -> dict[HeldOut, PredictedSplit]:
    """Return the held-out splits with the model as their predictor."""
    model = _model(model_file, manifest, shards)
    made = Preprocessing(height=manifest.height, width=manifest.width, fit=manifest.fit)
    is_native, in_windows = params.resolution == "native", params.window is not None
    # At the shards' size, an image is as large as a window of the training size.
    inference = fitted(_inference(params), made) if is_native and not in_windows else _inference(params)
    predict = predictor(KerasRuntime(model, model_file), inference)
    refine = refinement(params.refine, CrfParams(**params.crf.model_dump()))
    splits: dict[HeldOut, PredictedSplit] = {}
    for role in HELD_OUT:
        reader = ShardReader(shards, manifest, role)
        originals = Originals(raw, role, reader.names) if is_native else None
        splits[role] = PredictedSplit(reader, made, originals, in_windows, predict, refine)
    return splits


def _plotted(counts: Counts, found: Figures, names: list[str]) -> dict[str, Sequence[Record]]:
    """Return the rows of the tables for `dvc plots`, by file name."""
    return {
        tables.HEADLINES.name: found.headlines,
        tables.CLASSES.name: found.classes,
        tables.CONVENTIONS.name: found.conventions,
        tables.CONFUSION.name: confusion_cells(counts.matrices.sum(axis=0), names),
        tables.CALIBRATION.name: calibration_bins(counts.calibration.sum(axis=0), counts.confidence.sum(axis=0)),
        tables.TRIMAP.name: trimap_rows(counts.trimap.sum(axis=0)),
        tables.SIZES.name: size_rows(counts.matrices, names),
    }


def _model(path: Path, manifest: Manifest, shards: Path) -> SegmentationModel:
    """Return a model that fits the shards; an old one may not record the size of its training images."""
    model = load_model(path)
    check_classes(path, model.class_names, manifest, shards)
    if made := model.get_config()["preprocessing"]:
        check_images(path, Preprocessing.model_validate(made), manifest, shards)
    return model


def _inference(params: EvaluateParams) -> Inference:
    return Inference(params.flip, tuple(params.scales), params.window, params.dropout_samples)


def _about(manifest: Manifest, manifest_sha256: str, params: EvaluateParams) -> About:
    return About(
        classes=[c.name for c in manifest.classes],
        shards=manifest_sha256,
        test_split=manifest.digest("test"),
        resolution=params.resolution,
        inference=params.model_dump(exclude={"resolution", "samples"}),
        versions={"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__},
        conventions=MEANINGS,
    )
