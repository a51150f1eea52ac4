"""Train: fit the model on the shards, resume from the last checkpoint if there is one, and keep the best epoch."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import entry

from maskline.contracts.folders import MODEL, SHARDS, WEIGHTS
from maskline.engine.place import Place, given_place, local_places
from maskline.errors import InputError
from maskline.params.augment import AugmentParams
from maskline.params.model import ModelParams
from maskline.params.train import TrainParams

CHECKPOINTS = Path(".checkpoints")


def run(stage: entry.Stage) -> bool:
    """Write data/model/, unless TF_CONFIG makes this process a worker that only helps the first one; return whether."""
    params = stage.section("train", TrainParams)
    arguments = {
        "seed": stage.integer("seed"),
        "model": stage.section("model", ModelParams),
        "augment": stage.section("augment", AugmentParams),
        "params": params,
        "code": stage.code,
    }
    place = given_place(params.workers)
    if params.workers == 1:
        train_alone(arguments)
        return True
    if place and place.rank and "DVC_STAGE" in os.environ:
        raise InputError(
            f"TF_CONFIG makes this process worker {place.rank}, which writes nothing for DVC to record; run "
            "`python stages/train.py` here, and `dvc repro` as worker 0 alone."
        )
    from maskline.training.processes import train_in_processes

    places = [place] if place else local_places(params.workers)
    train_in_processes(partial(train_together, arguments), places)
    return places[0].rank == 0


def logs_folder() -> Path:
    """Return `.logs` of the user's folder; DVC runs a queued experiment in a copy, and DVC_ROOT names the original."""
    here, original = Path.cwd(), os.environ.get("DVC_ROOT")
    is_copy = ".dvc" in here.parts and here.is_relative_to(entry.ROOT)
    return Path(original, here.relative_to(entry.ROOT), ".logs") if original and is_copy else Path(".logs")


def train_alone(arguments: dict[str, Any]) -> None:
    """Train in this process."""
    entry.import_tensorflow()
    from maskline.engine.device import choose_device
    from maskline.training.train import train

    print(f"train: runs on {choose_device()}.", flush=True)
    train(SHARDS, WEIGHTS, MODEL, CHECKPOINTS, logs=logs_folder(), **arguments)


def train_together(arguments: dict[str, Any], place: Place) -> None:
    """Train as one of several workers, in a process of its own."""
    from maskline.training.train import train

    train(SHARDS, WEIGHTS, MODEL, CHECKPOINTS, logs=logs_folder(), **arguments, processes=len(place.neighbors))


if __name__ == "__main__":
    entry.main("train", __doc__, run)
