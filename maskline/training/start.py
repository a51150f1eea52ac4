"""Starting a network from a trained model: every weight is carried over, and those of a class by the class's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from maskline.errors import ArtifactError, InputError
from maskline.models.catalogue import NETWORKS
from maskline.models.ensemble import Ensemble
from maskline.models.files import load_model
from maskline.models.segmentation import SegmentationModel

# Parts of a configuration that may differ, because the same weights fit.
_FREE = {
    "class_names",
    "class_colors",
    "dropout",
    "freeze_encoder",
    "name",
    "output_stride",
    "precision",
    "preprocessing",
    "stride",
    "test_split",
}


def start_from(model: SegmentationModel, path: Path, named: str) -> list[str]:
    """Give a new model the weights of a trained one.

    A class that both have keeps its weights, also if its label is another one. A class that only the new model has
    keeps its initial weights. With the same classes in the same order, both give the same logits, unless their output
    strides or precisions differ.

    Args:
        model: the new model.
        path: the file of the trained one.
        named: that file in the user's words, for messages.

    Returns:
        The classes that the trained model lacks.

    Raises:
        InputError: the file is damaged, or its model is another network.
    """
    try:
        trained = load_model(path)
    except ArtifactError as error:
        raise InputError(f"{named} {error.reason}; name another model in model.start_from.") from None
    if isinstance(trained, Ensemble):
        raise InputError(f"{named} is an ensemble; name one of its members in model.start_from. Received: {named}")
    _check_same(model, trained, named)
    shared = [name for name in model.class_names if name in trained.class_names]
    for ours, theirs, axes in zip(_floats(model), _floats(trained), _class_axes(model, trained), strict=True):
        values, found = np.array(ours.numpy()), theirs.numpy()
        into = _places(values.shape, axes, model.class_names, shared)
        values[into] = found[_places(found.shape, axes, trained.class_names, shared)]
        ours.assign(values)
    return [name for name in model.class_names if name not in trained.class_names]


def _check_same(model: SegmentationModel, trained: SegmentationModel, named: str) -> None:
    ours, theirs = model.get_config(), trained.get_config()
    free = _FREE if NETWORKS[ours["architecture"]].refines else {*_FREE, "coarse"}
    for key in ours:
        if key not in free and ours[key] != theirs[key]:
            raise InputError(
                f"{named} cannot start this network, because its {key} is {theirs[key]}; set model.{key} to that, or "
                f"name another model in model.start_from. Received: {ours[key]}"
            )


def _floats(model: keras.Model) -> list[Any]:
    """Return the weights and the statistics; counters and the states of random generators are a run's own."""
    return [variable for variable in model.variables if "float" in str(variable.dtype)]


def _class_axes(model: SegmentationModel, trained: SegmentationModel) -> list[list[int]]:
    """Return the axes of each of `_floats` whose length depends on the number of classes."""
    other = trained
    if len(model.class_names) == len(trained.class_names):
        other = _with_one_class_more(trained)
    pairs = zip(_floats(model), _floats(other), strict=True)
    return [[axis for axis, (a, b) in enumerate(zip(x.shape, y.shape, strict=True)) if a != b] for x, y in pairs]


def _with_one_class_more(model: SegmentationModel) -> SegmentationModel:
    config = model.get_config()
    more = {key: [*config[key], config[key][-1]] for key in ("class_names", "class_colors")}
    return SegmentationModel.from_config(config | more)


def _places(
    shape: Sequence[int], axes: Sequence[int], classes: Sequence[str], chosen: Sequence[str]
) -> tuple[np.ndarray, ...]:
    """Return the index of all of an array but the classes that are not chosen.

    Args:
        shape: of the array.
        axes: those with classes at their end; before them may be features, as in PointRend's head.
        classes: all of them, in label order.
        chosen: some of them.
    """
    labels = [classes.index(name) for name in chosen]
    return np.ix_(
        *(
            [*range(length - len(classes)), *(length - len(classes) + label for label in labels)]
            if axis in axes
            else range(length)
            for axis, length in enumerate(shape)
        )
    )
