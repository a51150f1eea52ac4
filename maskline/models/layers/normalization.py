"""Batch normalization (Ioffe and Szegedy, ICML 2015) as one fused operation; Keras uses a dozen operations."""

import keras
import tensorflow as tf
from keras import layers

from maskline.engine import replicas
from maskline.models.layers.dropout import Dropout
from maskline.models.layers.synchronized import normalized

# Keras's 0.99, and 0.999 in its MobileNetV2, average over hundreds of steps, more than a small data set has.
_MOMENTUM = 0.9


@keras.saving.register_keras_serializable("maskline")
class BatchNormalization(layers.BatchNormalization):
    """Keras's layer for the last of four axes, without masks: the same results up to rounding in less time and memory.

    In training, the batch is that of all replicas. Statistics are float32 under every precision. The class has the same
    name as Keras's, because weights files use it.

    Attributes:
        frozen: whether training too normalizes by the moving averages, and leaves them as they are.
    """

    frozen = False

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        """Return the normalized inputs [B, H, W, C]."""
        training = bool(training and self.trainable)
        channels = tf.shape(inputs)[-1]
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones([channels])
        offset = tf.convert_to_tensor(self.beta) if self.center else tf.zeros([channels])
        if training and self.frozen:
            return self._by_moving_averages(inputs, scale, offset)
        if training and replicas.count() > 1:
            outputs, mean, variance = normalized(inputs, scale, offset, self.epsilon)
            self._follow(self.moving_mean, mean)
            self._follow(self.moving_variance, variance)
            return outputs
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=scale,
            offset=offset,
            mean=tf.zeros([0]) if training else tf.convert_to_tensor(self.moving_mean),
            variance=tf.zeros([0]) if training else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            pixels = tf.cast(tf.size(inputs) // channels, tf.float32)
            self._follow(self.moving_mean, mean)
            self._follow(self.moving_variance, variance * (pixels - 1.0) / pixels)  # the biased variance, as in Keras
        return outputs

    def _by_moving_averages(self, inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        """Multiply and add, because the gradient of the fused operation by given statistics repeats on no GPU."""
        factor = scale * tf.math.rsqrt(tf.convert_to_tensor(self.moving_variance) + self.epsilon)
        added = offset - tf.convert_to_tensor(self.moving_mean) * factor
        return tf.cast(tf.cast(inputs, tf.float32) * factor + added, inputs.dtype)

    def _follow(self, moving: keras.Variable, value: tf.Tensor) -> None:
        if replicas.owns_variables():
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))


def batch_norm(x: keras.KerasTensor, name: str | None = None, epsilon: float = 1e-3) -> keras.KerasTensor:
    """Normalize by batch statistics in training, and by moving averages over some tens of batches at inference."""
    return BatchNormalization(momentum=_MOMENTUM, epsilon=epsilon, name=name)(x)


def fused(network: keras.Model) -> keras.Model:
    """Return a functional model with the batch normalization of `batch_norm`, starting from the model's variables.

    Its dropout is drawn for the batch of all replicas. All other layers are shared with the given model, not copied.
    """
    return keras.models.clone_model(network, input_tensors=network.input, clone_function=_fused_layer)


def _fused_layer(layer: layers.Layer) -> layers.Layer:
    if isinstance(layer, layers.Dropout):
        return Dropout.like(layer)
    if not isinstance(layer, layers.BatchNormalization):
        return layer
    replaced = BatchNormalization.from_config(layer.get_config() | {"momentum": _MOMENTUM})
    replaced.build(layer.input.shape)
    for new, old in zip(replaced.variables, layer.variables, strict=True):
        new.assign(old.value)
    return replaced
