"""Noise of a training step, drawn for the whole batch so that it does not depend on the number of replicas."""

from collections.abc import Callable

import tensorflow as tf

from maskline.engine import replicas


def own_noise(draw: Callable[[int | tf.Tensor], tf.Tensor], rows: int | tf.Tensor) -> tf.Tensor:
    """Return this replica's `rows` (axis 0) of the noise that `draw` returns for a number of rows."""
    if replicas.count() == 1:
        return draw(rows)
    return replicas.own_rows(replicas.drawn_once(lambda: draw(rows * replicas.count())))
