"""Max-unpooling: values return to the positions of the maxima of 2x2 max-pooling."""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable("maskline")
class MaxUnpooling(layers.Layer):
    """Upsampling by the pooling indices of the encoder (SegNet: Badrinarayanan et al., TPAMI 2017).

    Called on values [B, H, W, C] and on the input [B, 2H, 2W, C] of a 2x2 max-pooling, it returns [B, 2H, 2W, C], with
    each value at the position of its window's first maximum and zeros elsewhere.
    """

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Return the sparse upsampled values."""
        values, pooled = inputs
        corners = [pooled[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        free = tf.ones_like(corners[0], tf.bool)
        maximum = tf.reduce_max(tf.stack(corners), axis=0)
        parts = []
        for corner in corners:
            is_first = free & (corner == maximum)
            parts.append(tf.where(is_first, values, tf.zeros_like(values)))
            free &= ~is_first
        rows = [tf.stack(parts[i : i + 2], axis=3) for i in (0, 2)]
        return tf.reshape(tf.stack(rows, axis=2), tf.shape(pooled))

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Return the second input's shape."""
        return shapes[1]
