"""Prediction of an image in overlapping square windows, whose weights decrease towards their edges."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

Predict = Callable[[tf.Tensor], tf.Tensor]  # images [B, H, W, 3] to float32 [B, H, W, C]


class _Places(NamedTuple):
    """The windows along one side of an image.

    Attributes:
        starts: int32 [N], ascending, half a window apart; the last one is moved back into the image.
        shares: float32 [N, length], weight of each window in the pixels it covers; the weights of a pixel sum to 1.
    """

    starts: tf.Tensor
    shares: tf.Tensor


def in_windows(predict: Predict, channels: int, window: int) -> Predict:
    """Return a function like `predict` that calls `predict` on one window of the images at a time.

    For images no larger than the window, it returns exactly what `predict` does. Memory holds one prediction of the
    whole images and one of a window.

    Args:
        predict: function of images [B, H, W, 3] that returns float32 [B, H, W, channels].
        channels: number of channels of the prediction.
        window: side of the windows in pixels, 2 or more.
    """

    def blended(images: tf.Tensor) -> tf.Tensor:
        batch, height, width, _ = tf.unstack(tf.shape(images))
        rows, columns = _places(height, window), _places(width, window)
        across = tf.shape(columns.starts)[0]

        def add(number: tf.Tensor, whole: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            row, column = number // across, number % across
            shares = rows.shares[row][:, None] * columns.shares[column]
            begin = tf.stack([rows.starts[row], columns.starts[column]])
            end = begin + tf.shape(shares)
            part = predict(images[:, begin[0] : end[0], begin[1] : end[1]]) * shares[..., None]
            part += whole[:, begin[0] : end[0], begin[1] : end[1]]
            return number + 1, _written(whole, part, begin, end)

        total = tf.shape(rows.starts)[0] * across
        start = (tf.constant(0), tf.zeros([batch, height, width, channels]))
        return tf.while_loop(lambda number, _: number < total, add, start, parallel_iterations=1)[1]

    return blended


def _places(length: tf.Tensor, window: int) -> _Places:
    """Return the windows that cover a side of `length` pixels."""
    size, stride = tf.minimum(length, window), window // 2
    count = 1 + -((size - length) // stride)
    starts = tf.minimum(stride * tf.range(count), length - size)
    inside = tf.range(size)
    ramp = tf.cast(tf.minimum(inside + 1, size - inside), tf.float32)
    covered = starts[:, None] + inside
    total = tf.math.unsorted_segment_sum(tf.broadcast_to(ramp, tf.shape(covered)), covered, length)
    return _Places(starts, ramp / tf.gather(total, covered))


def _written(whole: tf.Tensor, part: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """Return whole [B, H, W, C] with part [B, h, w, C] written from `begin` to `end`, in place if TensorFlow can."""
    full = tf.shape(whole)
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=whole,
        begin=tf.concat([[0], begin, [0]], axis=0),
        end=tf.concat([full[:1], end, full[3:]], axis=0),
        strides=tf.ones(4, tf.int32),
        value=part,
    )
