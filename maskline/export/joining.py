"""Joining model files to an ensemble, if they have the same classes and the same input."""

from collections.abc import Sequence
from pathlib import Path

from maskline.contracts.model_info import ModelInfo, read_keras_info
from maskline.errors import InputError
from maskline.files.artifacts import sha256
from maskline.models.ensemble import Ensemble
from maskline.models.files import load_model
from maskline.models.segmentation import SegmentationModel


def joined(files: Sequence[Path]) -> Ensemble:
    """Return the ensemble of the models in two or more .keras files.

    Raises:
        ArtifactError: a file is missing, damaged, or not a model of this project.
        InputError: there is only one file, or a file is named twice, is an ensemble itself, or has other classes or
            another input than the first.
    """
    if len(files) < 2:
        raise InputError(f"an ensemble needs two models or more; name more .keras files. Received: {len(files)}")
    first = read_keras_info(files[0])
    for file in files:
        _check_agrees(file, read_keras_info(file), files[0], first)
    sources = [sha256(file) for file in files]
    for index, file in enumerate(files):
        if sources[index] in sources[:index]:
            same = files[sources.index(sources[index])]
            raise InputError(f"{file} is the same model as {same}; name each model once. Received: {file}")
    return Ensemble([_member(file) for file in files], sources)


def _check_agrees(file: Path, info: ModelInfo, first_file: Path, first: ModelInfo) -> None:
    if info.classes != first.classes:
        raise InputError(
            f"{file} knows the classes {_classes(info)}, but {first_file} knows {_classes(first)}; an ensemble needs "
            "models of the same classes, in the same order and colors, so leave one of the two out."
        )
    if info.preprocessing != first.preprocessing:
        raise InputError(
            f"{file} was trained on images of {_input(info)}, but {first_file} on images of {_input(first)}; an "
            "ensemble needs models of the same size and fit, so leave one of the two out."
        )


def _classes(info: ModelInfo) -> str:
    return ", ".join(f"{known.name} ({known.color})" for known in info.classes)


def _input(info: ModelInfo) -> str:
    made = info.preprocessing
    return f"{made.height}x{made.width} (height x width) with the fit {made.fit}"


def _member(file: Path) -> SegmentationModel:
    model = load_model(file)
    if isinstance(model, Ensemble):
        raise InputError(f"{file} is an ensemble itself; name its members instead. Received: {file}")
    return model
