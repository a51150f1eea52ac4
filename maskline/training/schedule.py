"""The learning rate as a function of the step, and the optimizer."""

import math
from typing import Any

import keras
import tensorflow as tf

from maskline.params.train import TrainParams


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant or a half cosine down to 0 (Loshchilov and Hutter, ICLR 2017, without restarts).

    Args:
        kind: 'constant' or 'cosine'.
        peak: the highest learning rate.
        warmup_steps: steps of the warm-up, which starts at peak / (warmup_steps + 1).
        total_steps: steps of the whole run.
    """

    def __init__(self, kind: str, peak: float, warmup_steps: int, total_steps: int) -> None:
        self._config: dict[str, Any] = {
            "kind": kind,
            "peak": peak,
            "warmup_steps": warmup_steps,
            "total_steps": total_steps,
        }
        self.total_steps = total_steps

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Return the learning rate of a step, counted from 0, as a float32 scalar."""
        warmup_steps = self._config["warmup_steps"]
        step = tf.cast(step, tf.float32)
        rise = (step + 1.0) / (warmup_steps + 1.0)
        fall = 1.0
        if self._config["kind"] == "cosine":
            progress = (step - warmup_steps) / max(1, self.total_steps - warmup_steps)
            fall = 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(progress, 0.0, 1.0)))
        return self._config["peak"] * tf.minimum(rise, 1.0) * fall

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(self._config)


def schedule(params: TrainParams, epoch_steps: int) -> Schedule:
    """Return the schedule of the params; the warm-up takes at most half of the run."""
    warmup_epochs = min(params.warmup_epochs, params.epochs / 2)
    return Schedule(
        params.schedule, params.learning_rate, round(warmup_epochs * epoch_steps), params.epochs * epoch_steps
    )


def optimizer(params: TrainParams, rate: Schedule) -> keras.optimizers.Optimizer:
    """Return the optimizer of the params, with dynamic loss scaling for float16."""
    if params.optimizer == "adamw":
        chosen = keras.optimizers.AdamW(rate, weight_decay=params.weight_decay)
        # Biases and the weights of normalization and of PReLU are not decayed, as is usual with AdamW.
        chosen.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "alpha"])
    else:
        chosen = keras.optimizers.Adam(rate)
    return keras.optimizers.LossScaleOptimizer(chosen) if params.precision == "mixed_float16" else chosen
