"""The held-out splits, or parts of them, with a saved model as their predictor."""

from collections.abc import Callable
from pathlib import Path

from maskline.contracts.audit import HELD_OUT, HeldOut
from maskline.contracts.manifest import Manifest
from maskline.contracts.model_info import Preprocessing
from maskline.evaluation.fits import check_classes, check_images
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.models.ensemble import AnyModel
from maskline.models.files import load_model
from maskline.params.evaluate import EvaluateParams
from maskline.prediction.fitting import fitted
from maskline.prediction.inference import Inference, predictor
from maskline.prediction.refine.choice import refinement
from maskline.prediction.refine.crf import CrfParams
from maskline.prediction.runtime import Runtime
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.shards.read.originals import Originals, find_originals
from maskline.shards.read.reader import ShardReader

Predicting = Callable[[ShardReader, Originals | None], PredictedSplit]


def held_out_splits(
    raw: Path, shards: Path, manifest: Manifest, model_file: Path, params: EvaluateParams
) -> dict[HeldOut, PredictedSplit]:
    """Return the held-out splits with the model as their predictor.

    Raises:
        ArtifactError: the shards, the originals or the model are damaged, or the model does not fit the shards.
        InputError: the model cannot do what `params` ask for.
    """
    runtime = KerasRuntime(_model(model_file, manifest, shards), model_file)
    predicted = predicting(runtime, manifest, params)
    splits: dict[HeldOut, PredictedSplit] = {}
    for role in HELD_OUT:
        reader = ShardReader(shards, manifest, role)
        originals = find_originals(raw, role, reader.names) if params.resolution == "native" else None
        splits[role] = predicted(reader, originals)
    return splits


def predicting(runtime: Runtime, manifest: Manifest, params: EvaluateParams) -> Predicting:
    """Return a function that joins the reader of a split, and its originals if they are scored, to their predictor.

    Raises:
        InputError: the model cannot do what `params` ask for.
    """
    made = Preprocessing(height=manifest.height, width=manifest.width, fit=manifest.fit)
    in_windows = params.window is not None
    inference = Inference(params.flip, tuple(params.scales), params.window, params.dropout_samples)
    if params.resolution == "native" and not in_windows:
        # At the shards' size, an image is as large as a window of the training size.
        inference = fitted(inference, made)
    predict = predictor(runtime, inference)
    refine = refinement(params.refine, CrfParams(**params.crf.model_dump()))
    return lambda reader, originals: PredictedSplit(reader, made, originals, in_windows, predict, refine)


def _model(path: Path, manifest: Manifest, shards: Path) -> AnyModel:
    """Return a model that fits the shards; an old one may not record the size of its training images."""
    model = load_model(path)
    check_classes(path, model.class_names, manifest, shards)
    if made := model.get_config()["preprocessing"]:
        check_images(path, Preprocessing.model_validate(made), manifest, shards)
    return model
