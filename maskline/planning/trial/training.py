"""A trial of training: the train stage's own network, batches, steps, validation and checkpoint."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from maskline.engine.device import choose_device
from maskline.models.files import save_model
from maskline.params.augment import AugmentParams
from maskline.params.model import ModelParams
from maskline.params.preprocess import PreprocessParams
from maskline.params.train import TrainParams
from maskline.planning.trial.gpus import gpu_names
from maskline.planning.trial.memory import peak_memory, resident_memory
from maskline.planning.trial.preparation import seconds_to_prepare
from maskline.planning.trial.shards import HELD_OUT, synthetic_manifest, write_synthetic
from maskline.planning.trial.timing import Stopwatch, typical
from maskline.shards.read.augment import augmentation
from maskline.shards.read.batches import training_batches
from maskline.shards.read.reader import ShardReader
from maskline.training.checkpoint import Checkpoints, State
from maskline.training.determinism import choose_determinism
from maskline.training.memory import forecast
from maskline.training.setup import set_up
from maskline.training.trainer import Trainer
from maskline.training.validate import Validator, validation_batch

MODEL, SHARDS = "model.keras", "shards"
_ROUNDS = 2  # of steps, each followed by a validation
_SECONDS = 3.0  # of steps in a round, unless they are slow
_FEWEST, _MOST = 4, 64  # steps in a round
_AHEAD = 4  # steps whose batches were made before the first


def try_training(
    folder: str, params: dict[str, Any], classes: int, batch: int, freezing: dict[str, bool], size: list[int]
) -> dict[str, Any]:
    """Return the fields of TrainingCost except `start`, and leave shards and a model in `folder`.

    Args:
        folder: an empty folder.
        params: sections of params.yaml; the encoder's weights are random.
        classes: their number.
        batch: images in a step.
        freezing: what of the encoder is not trained, by the keys of section model.
        size: height and width of the original images; pixels.

    Raises:
        InputError: training does not fit into memory, or the network cannot be trained in such small batches.
    """
    choose_device()
    keras.utils.set_random_seed(1)
    shape = PreprocessParams.model_validate(params["preprocess"])
    model = ModelParams.model_validate(params["model"]).model_copy(update=freezing)
    train = TrainParams.model_validate(params["train"])
    choose_determinism(train.deterministic)
    watch = Stopwatch()
    augment = AugmentParams.model_validate(params["augment"])
    seen = augment.seen((shape.height, shape.width))
    trainer, loss, _ = set_up(synthetic_manifest(shape, classes, batch), seen, None, model, train)
    build = watch.lap()
    needed = resident_memory() + forecast(trainer, trainer.graph(batch, *seen))
    shards = Path(folder) / SHARDS
    shards.mkdir()
    manifest = write_synthetic(shards, shape, classes, batch)
    reader = ShardReader(shards, manifest, "train")
    held = validation_batch(batch, seen, reader.size)
    validator = Validator(trainer.model, loss, ShardReader(shards, manifest, "validation"), held)
    change = augmentation(augment, reader)
    stream = iter(training_batches(reader, batch, change, 1, range(1 << 30), size=seen))
    watch.lap()
    trainer.step(*next(stream))
    float(trainer.loss_sum)
    first_step = watch.lap()
    steps: list[float] = []
    validations: list[float] = []
    for _ in range(_ROUNDS):
        steps += _steps(trainer, stream)
        watch.lap()
        validator()
        validations.append(watch.lap())
    validator()
    validations.append(watch.lap())
    image = typical(validations[1:]) / (HELD_OUT * batch)
    checkpoint = _checkpoint(trainer, Path(folder) / "checkpoints")
    watch.lap()
    save_model(trainer.model, Path(folder) / MODEL)
    return {
        "build": build,
        "first_step": first_step,
        "preparation": seconds_to_prepare(shape, classes, (size[0], size[1])),
        "step": typical(steps[_AHEAD:] or steps),
        "first_validation": max(0.0, validations[0] - image * HELD_OUT * batch),
        "validation": image,
        "checkpoint": checkpoint,
        "save": watch.lap(),
        "model_bytes": (Path(folder) / MODEL).stat().st_size,
        "example_bytes": manifest.splits["train"].shards[0].bytes // batch,
        "forecast": needed,
        "peak": peak_memory(),
        "device": next(iter(gpu_names()), ""),
    }


def _steps(trainer: Trainer, stream: Iterator) -> list[float]:
    """Return the seconds of each step of a round."""
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < _FEWEST or (len(taken) < _MOST and time.perf_counter() - begun < _SECONDS):
        watch = Stopwatch()
        trainer.step(*next(stream))
        float(trainer.loss_sum)  # waits for the device
        taken.append(watch.lap())
    return taken


def _checkpoint(trainer: Trainer, folder: Path) -> float:
    """Return the seconds that the end of an epoch takes to keep the best weights and to write a checkpoint."""
    watch = Stopwatch()
    best = [np.array(variable.numpy()) for variable in trainer.model.variables]
    Checkpoints(folder, "trial").save(State(1, [], trainer.values(), best))
    taken = watch.lap()
    shutil.rmtree(folder)
    return taken
