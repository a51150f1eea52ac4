"""A trial of evaluation: the evaluate stage's own prediction, counts and pictures."""

from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow as tf

from maskline.contracts.counts import new_counts
from maskline.contracts.manifest import Manifest, read_manifest
from maskline.engine.device import choose_device
from maskline.evaluation.counting import count_split
from maskline.evaluation.gallery import write_gallery
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.evaluation.splits import predicting
from maskline.evaluation.suspects.collection import new_collection
from maskline.evaluation.suspects.writing import collect_batch, collect_split
from maskline.metrics.boundary import TRIMAP_DISTANCES
from maskline.metrics.calibration import BINS
from maskline.models.files import load_model
from maskline.params.evaluate import EvaluateParams
from maskline.planning.trial.memory import peak_memory
from maskline.planning.trial.shards import synthetic_example
from maskline.planning.trial.timing import Stopwatch
from maskline.planning.trial.training import MODEL, SHARDS
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.shards.read.originals import Originals
from maskline.shards.read.reader import ShardReader


def try_evaluation(folder: str, params: dict[str, Any], classes: int, batch: int, size: list[int]) -> dict[str, Any]:
    """Return the fields of EvaluationCost, for the shards and the model that `try_training` left in `folder`.

    Args:
        folder: that folder.
        params: section evaluate of params.yaml.
        classes: their number.
        batch: images in a step.
        size: height and width of the original images; pixels.

    Raises:
        InputError: the model cannot do what section evaluate asks for.
    """
    choose_device()
    tf.config.experimental.enable_op_determinism()
    place, watch = Path(folder), Stopwatch()
    manifest = read_manifest(place / SHARDS)
    split = _split(place, manifest, EvaluateParams.model_validate(params), (size[0], size[1]))
    split.predict(split.example(0))
    load = watch.lap()
    names = split.reader.names
    with (
        new_counts(place, names, classes, len(TRIMAP_DISTANCES), BINS) as counts,
        new_collection(place, classes) as suspects,
    ):
        watch.lap()
        count_split(split, batch, counts, partial(collect_batch, suspects.keep, "test", classes))
        image = watch.lap() / len(names)
        collect_split(suspects.keep, "validation", classes, split, batch)
        checked = watch.lap() / len(names)
        write_gallery(place / "gallery", place / "samples", split, counts, manifest.classes, 1)
    gallery = [path for path in (place / "gallery/pictures").rglob("*") if path.is_file()]
    drawn = len({path.parent for path in gallery})
    return {
        "load": load,
        "image": image,
        "checked": checked,
        "picture": watch.lap() / drawn,
        "picture_bytes": sum(path.stat().st_size for path in gallery) // drawn,
        "peak": peak_memory(),
    }


def _split(place: Path, manifest: Manifest, params: EvaluateParams, size: tuple[int, int]) -> PredictedSplit:
    """Return the test split with the model as its predictor, as the evaluate stage makes it."""
    reader = ShardReader(place / SHARDS, manifest, "test")
    native = params.resolution == "native"
    originals = cast(Originals, _SyntheticOriginals(size, len(manifest.classes))) if native else None
    return predicting(KerasRuntime(load_model(place / MODEL)), manifest, params)(reader, originals)


class _SyntheticOriginals:
    """Stands in for the originals of a split: one image of their size."""

    def __init__(self, size: tuple[int, int], classes: int) -> None:
        self._example = synthetic_example(np.random.default_rng(0), size, classes)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._example
