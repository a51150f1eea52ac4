"""One training step, and the variables that a run must save to resume exactly."""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from maskline.engine.replicas import all_sums, counted_once, in_towers
from maskline.models.interface import Loss
from maskline.models.segmentation import SegmentationModel
from maskline.training.ema import MovingAverage


class Trainer:
    """A model with its optimizer, moving average and running loss.

    A step gives the same variables on every worker: its loss is that of the batch of all replicas, and so are its
    gradients, which are summed before the optimizer sees them.

    Args:
        model: a built model.
        loss: function of labels and logits.
        optimizer: a new one, whose variables are created here.
        ema: decay of the moving average of the weights; 0: no average.
        encoder_rate: factor on the learning rate of the encoder's weights.
        towers: into how many parts a step divides the batch, which TensorFlow computes at the same time.
    """

    def __init__(
        self,
        model: SegmentationModel,
        loss: Loss,
        optimizer: keras.optimizers.Optimizer,
        ema: float,
        encoder_rate: float = 1.0,
        towers: int = 1,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self._loss, self._encoder_rate, self._towers = loss, encoder_rate, towers
        optimizer.build(model.trainable_variables)
        self.average = MovingAverage(model, ema) if ema else None
        self.loss_sum = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.step: tf.types.experimental.PolymorphicFunction = tf.function(self._step, autograph=False)

    def _step(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        finished_steps = self.optimizer.iterations + 0
        loss, gradients = self._loss_and_gradients(images, labels)
        self._update(gradients, self.model.trainable_variables)
        if self.average:
            self.average.update(finished_steps)
        self.loss_sum.assign_add(tf.cast(loss, tf.float64))

    def _loss_and_gradients(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the loss of the batch of all replicas, and its gradients."""
        if self._towers == 1:
            loss, own = self._own_part(images, labels)
            return loss, all_sums(own)
        parts = zip(*(tf.split(each, self._towers) for each in (images, labels)), strict=True)
        losses, gradients = zip(*in_towers(self._own_part, list(parts)), strict=True)
        return losses[0], [tf.add_n(each) for each in zip(*gradients, strict=True)]

    def _own_part(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the loss of the batch of all replicas, and what this replica adds to its gradients."""
        with tf.GradientTape() as tape:
            loss = self.model.training_loss(images, labels, self._loss)
            scaled = counted_once(self.optimizer.scale_loss(loss))
        return loss, tape.gradient(scaled, self.model.trainable_variables)

    def _update(self, gradients: list[tf.Tensor], variables: list[keras.Variable]) -> None:
        """Let the optimizer change the variables, and those of the encoder by a part of that.

        The change by each optimizer, weight decay included, is proportional to the learning rate.
        """
        slower = self.model.encoder_variables() if self._encoder_rate != 1.0 else []
        before = [tf.identity(variable.value) for variable in slower]
        self.optimizer.apply(gradients, variables)
        for variable, value in zip(slower, before, strict=True):
            variable.assign(value + self._encoder_rate * (variable - value))

    def graph(self, batch_size: int, height: int, width: int) -> tf.Graph:
        """Trace the step for batches of this shape, unless it is traced already, and return its graph."""
        images = tf.TensorSpec((batch_size, height, width, 3), tf.uint8)
        labels = tf.TensorSpec((batch_size, height, width), tf.uint8)
        return self.step.get_concrete_function(images, labels).graph

    def values(self) -> list[np.ndarray]:
        """Return copies of all variables, in a fixed order."""
        return [np.array(variable.numpy()) for variable in self._variables()]

    def assign(self, values: Sequence[np.ndarray]) -> None:
        """Set all variables to values from `values`."""
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)

    def shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of `values`."""
        return [tuple(variable.shape) for variable in self._variables()]

    def state_bytes(self) -> int:
        """Return the size of `values`."""
        return sum(tf.as_dtype(v.dtype).size * math.prod(v.shape) for v in self._variables())

    def _variables(self) -> list:
        averages = self.average.variables if self.average else []
        return [*self.model.variables, *self.optimizer.variables, *averages, self.loss_sum]
