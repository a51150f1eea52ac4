"""Void pixels out of labels, in shapes that stay what they are."""

import tensorflow as tf

from maskline.contracts.classes import VOID


def without_void(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return 1.0 where a pixel counts, and labels int32 that are in range everywhere."""
    labels = tf.cast(labels, tf.int32)
    valid = labels != VOID
    return tf.cast(valid, tf.float32), tf.where(valid, labels, 0)
