"""The training loop. A resumed run ends with the same bytes as an uninterrupted one."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from maskline.contracts.history import Epoch
from maskline.engine import replicas
from maskline.errors import InputError, Stopped
from maskline.params.train import TrainParams
from maskline.training.agreement import check_equal, first_workers_state
from maskline.training.checkpoint import Checkpoints, State
from maskline.training.interrupts import deferred_signals, stop_if_requested
from maskline.training.plateau import follow_plateau
from maskline.training.schedule import Schedule
from maskline.training.trainer import Trainer
from maskline.training.validate import Validator
from maskline.training.watch import Watch

_SAVE_EVERY = 60.0  # seconds between checkpoints inside an epoch
_CHECK_EVERY = 16  # steps between checks of the loss; each check waits for the device


def fit(
    trainer: Trainer,
    validator: Validator,
    batches: Callable[[range], Iterable[tuple[tf.Tensor, tf.Tensor]]],
    rate: Schedule,
    params: TrainParams,
    checkpoints: Checkpoints | None,
    watch: Watch | None = None,
) -> list[Epoch]:
    """Train, and leave in the model the weights of the epoch with the best validation mean IoU.

    Args:
        batches: yields images uint8 [B, H, W, 3] and labels uint8 [B, H, W] for a range of steps, counted
            from the start of the run.
        rate: the schedule; its `total_steps` cover `params.epochs` epochs.
        checkpoints: of this run; None: this worker keeps none and starts from the first worker's state.
        watch: gets the scores before the first step and after each epoch; it changes nothing of the result.

    Returns:
        The history, one row for each epoch.

    Raises:
        InputError: the training loss, the validation loss or a score became NaN or infinite, or the workers' weights
            differ.
        Stopped: Ctrl-C or SIGTERM, after the last finished step was saved; the message names the step.
    """
    epoch_steps = rate.total_steps // params.epochs
    state = (checkpoints and checkpoints.load(trainer.shapes())) or State()
    if replicas.count() > 1:
        state = first_workers_state(state, trainer)
    if state.step:
        trainer.assign(state.variables)
        print(f"train: resumes after step {state.step} of {rate.total_steps}.", flush=True)
    stream = iter(batches(range(state.step, rate.total_steps)))
    with deferred_signals(), _saved_on_interrupt(checkpoints, trainer, state, rate.total_steps):
        if watch:
            watch.begin(state, validator)
        while len(state.history) < params.epochs and not _has_stopped_improving(state.history, params.early_stopping):
            follow_plateau(rate, state.history, params.plateau)
            _train_epoch(trainer, stream, state, epoch_steps, params, checkpoints)
            _end_epoch(trainer, validator, state, rate, params, watch)
            if replicas.count() > 1:
                check_equal(trainer)
            _save(checkpoints, trainer, state)
    if state.best:
        for variable, value in zip(trainer.model.variables, state.best, strict=True):
            variable.assign(value)
    kept = _best_epoch(state.history)
    return [Epoch(**row, best=row["epoch"] == kept) for row in state.history]


def _train_epoch(
    trainer: Trainer,
    stream: Iterator,
    state: State,
    epoch_steps: int,
    params: TrainParams,
    checkpoints: Checkpoints | None,
) -> None:
    """Do the remaining steps of the epoch."""
    epoch = len(state.history)
    saved = time.monotonic()
    bar = tqdm(
        total=epoch_steps,
        initial=state.step - epoch * epoch_steps,
        desc=f"epoch {epoch + 1}/{params.epochs}",
        unit=" steps",
        leave=False,
        disable=None,
        file=sys.stderr,
    )
    with bar:
        while state.step < (epoch + 1) * epoch_steps:
            trainer.step(*next(stream))
            state.step += 1
            stop_if_requested()
            bar.update()
            due = time.monotonic() - saved > _SAVE_EVERY
            if due or state.step % _CHECK_EVERY == 0 or state.step == (epoch + 1) * epoch_steps:
                _check_finite("training loss", float(trainer.loss_sum), state.step, params)
            if due:
                _save(checkpoints, trainer, state)
                saved = time.monotonic()


@contextlib.contextmanager
def _saved_on_interrupt(checkpoints: Checkpoints | None, trainer: Trainer, state: State, steps: int) -> Iterator[None]:
    begun = state.step
    try:
        yield
    except KeyboardInterrupt:
        if state.step > begun:
            _save(checkpoints, trainer, state)
        saved = f"step {state.step} of {steps} is saved" if state.step else "no step was done yet"
        raise Stopped(saved) from None


def _check_finite(what: str, value: float, step: int, params: TrainParams) -> None:
    if not math.isfinite(value):
        raise InputError(
            f"the {what} became {value} by step {step}; lower train.learning_rate "
            f"(Received: {params.learning_rate}) or set train.precision to float32 (Received: {params.precision})."
        )


def _end_epoch(
    trainer: Trainer, validator: Validator, state: State, rate: Schedule, params: TrainParams, watch: Watch | None
) -> None:
    """Validate, add the epoch to the history, and keep the weights if they are the best so far."""
    with trainer.average.in_place() if trainer.average else contextlib.nullcontext():
        scores = validator()
        for name, value in zip(("loss", "pixel accuracy", "mean IoU"), scores[:3], strict=True):
            _check_finite(f"validation {name}", value, state.step, params)
        row = {
            "epoch": len(state.history) + 1,
            "learning_rate": float(f"{float(rate(state.step - 1)):.6g}"),
            "train_loss": round(float(trainer.loss_sum) * params.epochs / rate.total_steps, 6),
            "validation_loss": round(scores.loss, 6),
            "validation_pixel_accuracy": round(scores.pixel_accuracy, 6),
            "validation_mean_iou": round(scores.mean_iou, 6),
        }
        state.history.append(row)
        if _best_epoch(state.history) == row["epoch"] and replicas.rank() == 0:
            state.best = [np.array(variable.numpy()) for variable in trainer.model.variables]
    if watch:
        watch.epoch(row, scores)
    trainer.loss_sum.assign(0.0)
    note = "best so far" if _best_epoch(state.history) == row["epoch"] else ""
    print(
        f"epoch {row['epoch']:>3}/{params.epochs}  train loss {row['train_loss']:.4f}  "
        f"validation loss {row['validation_loss']:.4f}  mean IoU {row['validation_mean_iou']:.4f}  {note}".rstrip(),
        flush=True,
    )


def _best_epoch(history: list[dict[str, Any]]) -> int:
    """Return the earliest epoch with the highest validation mean IoU."""
    return max(history, key=lambda row: (row["validation_mean_iou"], -row["epoch"]))["epoch"]


def _has_stopped_improving(history: list[dict[str, Any]], patience: int) -> bool:
    return bool(patience and history) and history[-1]["epoch"] - _best_epoch(history) >= patience


def _save(checkpoints: Checkpoints | None, trainer: Trainer, state: State) -> None:
    if checkpoints:
        state.variables = trainer.values()
        checkpoints.save(state)
