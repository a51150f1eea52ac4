"""From a saved model and the held-out splits to counts, metrics, pictures and labels to check."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from maskline.contracts import tables
from maskline.contracts.about import PATH as ABOUT
from maskline.contracts.about import About
from maskline.contracts.counts import Counts, new_counts
from maskline.contracts.evaluation import PATH as EVALUATION
from maskline.contracts.evaluation import deciding_figures
from maskline.contracts.figures import PATH as FIGURES
from maskline.contracts.figures import Figures
from maskline.contracts.images import PATH as IMAGES
from maskline.contracts.manifest import PATH as MANIFEST
from maskline.contracts.manifest import Manifest, read_manifest
from maskline.contracts.pictures import PATH as PICTURES
from maskline.engine.tasks import engine_name
from maskline.evaluation.chunks import count_here, count_in_chunks
from maskline.evaluation.figures import figures
from maskline.evaluation.gallery import write_gallery
from maskline.evaluation.splits import held_out_splits
from maskline.evaluation.suspects.collection import new_collection
from maskline.evaluation.suspects.writing import write_suspects
from maskline.evaluation.tables import calibration_bins, confusion_cells, image_rows, size_rows, trimap_rows
from maskline.files.artifacts import new_directory, sha256, write_json
from maskline.files.records import Record, write_record, write_table
from maskline.metrics.boundary import TRIMAP_DISTANCES
from maskline.metrics.calibration import BINS
from maskline.metrics.conventions import MEANINGS
from maskline.params.evaluate import EvaluateParams


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
        InputError: the model cannot do what `params` ask for, or the engine that the environment names cannot be used.
    """
    engine = engine_name()
    tf.config.experimental.enable_op_determinism()
    manifest = read_manifest(shards)
    splits = held_out_splits(raw, shards, manifest, model_file, params)
    split, names = splits["test"], [c.name for c in manifest.classes]
    about = _about(manifest, sha256(shards / MANIFEST.name), params)
    with new_directory(out) as folder, new_collection(folder, len(names)) as suspects:
        with new_counts(folder, split.reader.names, len(names), len(TRIMAP_DISTANCES), BINS) as counts:
            if engine == "pool":
                count_here(splits, batch_size, counts, suspects)
            else:
                count_in_chunks(
                    splits,
                    counts,
                    suspects,
                    folder,
                    shards=shards,
                    manifest=manifest,
                    model=model_file,
                    params=params,
                    batch_size=batch_size,
                )
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
