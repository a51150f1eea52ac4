"""Shards to tf.data: shuffled and augmented for training, in order for evaluation."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import tensorflow as tf

from maskline.shards.draws import epoch_order, uniform
from maskline.shards.reader import ShardReader

_PARALLEL = 2
_PREFETCH = 4


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch; a split smaller than a batch makes one."""
    return max(1, examples // batch_size)


def training_batches(reader: ShardReader, batch_size: int, draws: int, seed: int, steps: range) -> tf.data.Dataset:
    """Yield images uint8 [B, H, W, 3], labels uint8 [B, H, W] and draws float32 [B, draws] for each step of a run.

    A batch is a pure function of (seed, step): every epoch is a permutation of the whole split, of which the last
    `examples % batch_size` are left out, others in each epoch.

    Args:
        draws: uniform random numbers for each image, for its augmentation.
        steps: a range of steps, counted from the start of the run.
    """
    batch_size = min(batch_size, len(reader))
    epoch_steps = steps_per_epoch(len(reader), batch_size)
    order = lru_cache(maxsize=2)(lambda epoch: epoch_order(seed, epoch, len(reader)))

    def read(step: np.int64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        epoch, batch = divmod(int(step), epoch_steps)
        chosen = order(epoch)[batch * batch_size : (batch + 1) * batch_size]
        return *reader.read(chosen), uniform(seed, epoch, chosen, draws)

    height, width = reader.size
    shapes = ((batch_size, height, width, 3), (batch_size, height, width), (batch_size, draws))
    return _dataset(tf.data.Dataset.range(steps.start, steps.stop), read, (tf.uint8, tf.uint8, tf.float32), shapes)


def ordered_batches(reader: ShardReader, batch_size: int) -> tf.data.Dataset:
    """Yield images uint8 [B, H, W, 3] and labels uint8 [B, H, W] in order; the last batch may be smaller."""

    def read(start: np.int64) -> tuple[np.ndarray, np.ndarray]:
        return reader.read(range(int(start), min(int(start) + batch_size, len(reader))))

    height, width = reader.size
    shapes = ((None, height, width, 3), (None, height, width))
    return _dataset(tf.data.Dataset.range(0, len(reader), batch_size), read, (tf.uint8, tf.uint8), shapes)


def _dataset(positions: tf.data.Dataset, read: Callable, dtypes: tuple, shapes: tuple) -> tf.data.Dataset:
    def load(position: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tensors = tf.numpy_function(read, [position], dtypes, stateful=False)
        return tuple(tf.ensure_shape(tensor, shape) for tensor, shape in zip(tensors, shapes, strict=True))

    options = tf.data.Options()
    options.autotune.enabled = False  # its threads can hold up the end of an iterator for seconds
    options.deterministic = True
    return positions.map(load, num_parallel_calls=_PARALLEL).prefetch(_PREFETCH).with_options(options)
