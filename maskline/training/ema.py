"""Exponential moving average of a model's float variables, batch-normalization statistics included."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf


class MovingAverage:
    """Shadow copies that follow a model's float variables (Polyak and Juditsky, 1992).

    Args:
        model: a built model.
        decay: weight of the old average in each step. Early steps use (1 + step) / (10 + step) if that is less, so that
            the average soon forgets the initial values.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self._decay = decay
        self._followed = [v.value for v in model.variables if v.dtype == "float32"]
        self.variables = [tf.Variable(v, trainable=False) for v in self._followed]

    def update(self, step: tf.Tensor) -> None:
        """Update the averages after a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1.0 + step) / (10.0 + step))
        for average, variable in zip(self.variables, self._followed, strict=True):
            average.assign_sub((1.0 - decay) * (average - variable))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Use the averages as the model's weights within the block."""
        kept = [tf.identity(v) for v in self._followed]
        self._assign(self.variables)
        try:
            yield
        finally:
            self._assign(kept)

    def _assign(self, values: list) -> None:
        for variable, value in zip(self._followed, values, strict=True):
            variable.assign(value)
