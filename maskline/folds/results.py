"""The results of all folds, which must be of the same data."""

from typing import Any

import numpy as np

from maskline.contracts import folders
from maskline.errors import InputError
from maskline.series.pipeline import Member, Pipeline, Series, recorded
from maskline.series.results import Run, read_runs


def folds_of(pipeline: Pipeline, folds: int) -> Series:
    """Return the experiments of a pipeline that are its folds."""
    members = {
        fold: Member(
            pipeline.experiment(f"fold-{fold}-of-{folds}"),
            f"fold {fold} of {folds}",
            {"dataset.folds": folds, "dataset.fold": fold},
        )
        for fold in range(1, folds + 1)
    }
    return Series(pipeline, "folds", members)


def read_folds(series: Series, commits: dict[int, str]) -> list[Run]:
    """Return the folds in order, from the commits of their experiments.

    Raises:
        InputError: a result cannot be read, or the folds are of different data, classes or sizes.
    """
    found = read_runs(series, commits)
    _check(series.pipeline, found)
    return found


def _check(pipeline: Pipeline, folds: list[Run]) -> None:
    first = folds[0]
    data = {fold.number: _data(pipeline, fold) for fold in folds}
    for fold in folds[1:]:
        if data[fold.number] != data[first.number]:
            raise _refusal(first, fold, "were run on different images or masks: the files changed in between", folds)
        if fold.result.classes != first.result.classes or fold.result.resolution != first.result.resolution:
            raise _refusal(first, fold, "have different classes or were scored at different sizes", folds)
    names, counts = np.unique(np.concatenate([fold.result.filenames for fold in folds]), return_counts=True)
    if (counts > 1).any():
        raise _refusal(first, folds[-1], f"and others test the same image, {names[counts > 1][0]}", folds)


def _data(pipeline: Pipeline, fold: Run) -> Any:
    """Return the hash of the data set that a fold's experiment divided, as its dvc.lock has it."""
    found = recorded(pipeline, fold.commit, "outs").get(folders.RAW.as_posix())
    if found is None:
        raise InputError(
            f"the experiment {fold.name} has no data/raw in its dvc.lock; remove it with `dvc exp remove {fold.name}` "
            "and run the command again."
        )
    return found


def _refusal(one: Run, other: Run, reason: str, folds: list[Run]) -> InputError:
    names = " ".join(fold.name for fold in folds)
    return InputError(
        f"{one.name} and {other.name} {reason}; remove the folds with `dvc exp remove {names}` and run the command "
        "again."
    )
