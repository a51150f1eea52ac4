"""A mask of valid pixels, and labels without void."""

import tensorflow as tf

from maskline.contracts.classes import VOID


def without_void(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return float32 1.0 where a pixel is not void and 0.0 elsewhere, and labels int32 with 0 instead of void."""
    labels = tf.cast(labels, tf.int32)
    valid = labels != VOID
    return tf.cast(valid, tf.float32), tf.where(valid, labels, 0)
