"""The gate of exported files: the counts of a file on the test images, and whether its score falls too far."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskline.comparison.compare import Result
from maskline.contracts.counts import new_counts
from maskline.contracts.manifest import read_manifest
from maskline.contracts.model_info import Score
from maskline.evaluation.counting import count_split
from maskline.evaluation.fits import check_fits
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.metrics.boundary import TRIMAP_DISTANCES
from maskline.metrics.calibration import BINS
from maskline.metrics.scores import iou, mean_over_classes, rounded
from maskline.prediction.inference import Inference, predictor
from maskline.prediction.runtime import Runtime
from maskline.shards.read.batches import readers_errors
from maskline.shards.read.reader import ShardReader


class Limits(NamedTuple):
    """How far a score may fall.

    Attributes:
        drop: of mean IoU.
        class_drop: of the IoU of any class.
    """

    drop: float = 0.001
    class_drop: float = 0.01


def counted(name: str, path: Path, runtime: Runtime, shards: Path, batch_size: int = 8) -> Result:
    """Count the test images as evaluate does, in one pass at the shards' size.

    Args:
        name: of the result, shown in the comparison.
        path: the model file, named in messages.
        runtime: of the file.
        shards: folder of shards and manifest.
        batch_size: images predicted at once.

    Raises:
        ArtifactError: the shards are damaged, or the model has other classes or was trained on images of another size.
        InputError: a probability is NaN.
    """
    manifest = read_manifest(shards)
    check_fits(path, runtime.info, manifest, shards)
    reader = ShardReader(shards, manifest, "test")
    split = PredictedSplit(reader, runtime.info.preprocessing, None, False, predictor(runtime, Inference()), None)
    sizes = len(manifest.classes), len(TRIMAP_DISTANCES), BINS
    with tempfile.TemporaryDirectory() as folder, new_counts(Path(folder), reader.names, *sizes) as counts:
        with readers_errors():
            count_split(split, batch_size, counts)
        matrices = np.array(counts.matrices)
    names = [c.name for c in manifest.classes]
    return Result(name, np.array(reader.names), matrices, names, manifest.digest("test"), "model")


def score(result: Result) -> Score:
    """Return the figures of a result."""
    values = iou(result.matrices.sum(axis=0))
    return Score(
        test_split=result.test_split,
        images=len(result.matrices),
        mean_iou=round(float(mean_over_classes(values)), 6),
        iou={name: rounded(value) for name, value in zip(result.classes, values.tolist(), strict=True)},
    )


def falls(before: Result, after: Result, limits: Limits) -> list[str]:
    """Return what falls by more than its limit, each as a phrase; an empty list if nothing does."""
    old, new = (iou(result.matrices.sum(axis=0)) for result in (before, after))
    found = []
    means = mean_over_classes(old), mean_over_classes(new)
    if means[0] - means[1] > limits.drop:
        found.append(f"mean IoU falls from {means[0]:.4f} to {means[1]:.4f}, by more than {limits.drop:g}")
    for name, was, now in zip(before.classes, old, new, strict=True):
        if was - now > limits.class_drop:
            found.append(f"the IoU of {name} falls from {was:.4f} to {now:.4f}, by more than {limits.class_drop:g}")
    return found
