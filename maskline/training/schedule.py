"""The learning rate as a function of the step, and the optimizer."""

import math
from typing import Any

import keras
import tensorflow as tf

from maskline.params.train import TrainParams

_POWER = 0.9  # DeepLab's


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant, a half cosine or a power of the steps that are left, or lower at each plateau.

    The half cosine is that of Loshchilov and Hutter, ICLR 2017, without restarts; the power is DeepLab's (Chen et al.,
    TPAMI 2018). Both end at 0.

    Args:
        kind: 'constant', 'cosine', 'poly' or 'plateau'.
        peak: the highest learning rate.
        warmup_steps: steps of the warm-up, which starts at peak / (warmup_steps + 1).
        total_steps: steps of the whole run.

    Attributes:
        scale: factor on the learning rate of 'plateau', a variable that the loop sets; None for the others.
    """

    def __init__(self, kind: str, peak: float, warmup_steps: int, total_steps: int) -> None:
        self._config: dict[str, Any] = {
            "kind": kind,
            "peak": peak,
            "warmup_steps": warmup_steps,
            "total_steps": total_steps,
        }
        self.total_steps = total_steps
        self.scale = tf.Variable(1.0, trainable=False) if kind == "plateau" else None

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Return the learning rate of a step, counted from 0, as a float32 scalar."""
        warmup_steps = self._config["warmup_steps"]
        step = tf.cast(step, tf.float32)
        rise = (step + 1.0) / (warmup_steps + 1.0)
        progress = (step - warmup_steps) / max(1, self.total_steps - warmup_steps)
        fall = self._fall(tf.clip_by_value(progress, 0.0, 1.0))
        return self._config["peak"] * tf.minimum(rise, 1.0) * fall

    def _fall(self, progress: tf.Tensor) -> tf.Tensor | float:
        match self._config["kind"]:
            case "cosine":
                return 0.5 * (1.0 + tf.cos(math.pi * progress))
            case "poly":
                return (1.0 - progress) ** _POWER
            case "plateau":
                return tf.convert_to_tensor(self.scale)
        return 1.0

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
    """Return the optimizer of the params, with dynamic loss scaling for float16.

    Gradients are clipped after they are unscaled. Weight decay is decoupled from the gradient (Loshchilov and Hutter,
    ICLR 2019), also that of SGD.
    """
    decay, clip = params.weight_decay, {"global_clipnorm": params.clip_norm}
    chosen: keras.optimizers.Optimizer
    if params.optimizer == "adam":
        chosen = keras.optimizers.Adam(rate, **clip)
    elif params.optimizer == "adamw":
        chosen = keras.optimizers.AdamW(rate, weight_decay=decay, **clip)
    else:
        chosen = keras.optimizers.SGD(rate, momentum=params.momentum, weight_decay=decay or None, **clip)
    # Biases and the weights of normalization and of PReLU are not decayed, as is usual with AdamW.
    chosen.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "alpha"])
    return keras.optimizers.LossScaleOptimizer(chosen) if params.precision == "mixed_float16" else chosen
