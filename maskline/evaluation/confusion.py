"""Confusion matrices on the TensorFlow side, one per image."""

import tensorflow as tf

from maskline.contracts.classes import VOID


def confusion_matrices(labels: tf.Tensor, predictions: tf.Tensor, classes: int) -> tf.Tensor:
    """Count pixels by true and predicted class; void pixels never count.

    Args:
        labels: integer [B, H, W] in 0..classes-1 or void.
        predictions: integer [B, H, W] in 0..classes-1.

    Returns:
        int64 [B, C, C]; rows are truth, columns prediction.
    """
    labels, predictions = tf.cast(labels, tf.int32), tf.cast(predictions, tf.int32)
    pairs = classes * labels + predictions
    cells = classes * classes
    # A last cell takes the void pixels, so that no gather is needed.
    pairs = tf.reshape(tf.where(labels == VOID, cells, pairs), [tf.shape(labels)[0], -1])
    counts = tf.math.bincount(pairs, minlength=cells + 1, maxlength=cells + 1, axis=-1, dtype=tf.int64)
    return tf.reshape(counts[:, :cells], [-1, classes, classes])
