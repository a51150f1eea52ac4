"""Batches from shards as tf.data: shuffled and augmented for training, in order for evaluation."""

import contextlib
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps

import cv2
import numpy as np
import tensorflow as tf

from maskline.engine.cores import cores
from maskline.shards.read.buffers import BufferPool
from maskline.shards.read.draws import DRAWS, epoch_order, uniform
from maskline.shards.read.reader import ShardReader

_PARALLEL = min(4, cores())  # batches that are made in parallel
_PREFETCH = 2
_failures: list[Exception] = []  # raised while a batch was read, in TensorFlow's threads


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch; at least one."""
    return max(1, examples // batch_size)


def training_batches(
    reader: ShardReader,
    batch_size: int,
    augment: Callable[[np.ndarray, np.ndarray, np.ndarray], None],
    seed: int,
    steps: range,
    rank: int = 0,
    count: int = 1,
) -> tf.data.Dataset:
    """Yield augmented images uint8 [B, H, W, 3] and labels uint8 [B, H, W] for each step of a run.

    A batch is a pure function of (seed, step). Every epoch is a new permutation of the whole split, whose last
    `examples % batch_size` examples are dropped. Each of `count` workers gets its part of every batch.

    Args:
        batch_size: images in the batch of all workers, a multiple of `count` unless the split is smaller.
        augment: changes an image uint8 [H, W, 3] and its labels uint8 [H, W] in place, by draws float32 [DRAWS].
        steps: a range of steps, counted from the start of the run.
        rank: the worker's number, from 0 on.
        count: the number of workers.
    """
    cv2.setNumThreads(1)  # batches are made in parallel, so threads within one image only compete
    batch_size = min(batch_size, len(reader))
    part = batch_size // count
    epoch_steps = steps_per_epoch(len(reader), batch_size)
    order = lru_cache(maxsize=2)(lambda epoch: epoch_order(seed, epoch, len(reader)))
    buffers = BufferPool()

    def read(step: np.int64) -> tuple[np.ndarray, np.ndarray]:
        epoch, batch = divmod(int(step), epoch_steps)
        start = batch * batch_size + rank * part
        chosen = order(epoch)[start : start + part]
        images, labels = reader.read(chosen, buffers.empty)
        for image, mask, draws in zip(images, labels, uniform(seed, epoch, chosen, DRAWS), strict=True):
            augment(image, mask, draws)
        return images, labels

    return _dataset(tf.data.Dataset.range(steps.start, steps.stop), read, (part, *reader.size))


def ordered_batches(reader: ShardReader, batch_size: int, rank: int = 0, count: int = 1) -> tf.data.Dataset:
    """Yield images uint8 [B, H, W, 3] and labels uint8 [B, H, W] in order; the last batch may be smaller.

    Args:
        rank: of `count` workers, the one that gets every count-th whole batch from batch `rank` on.
    """
    buffers = BufferPool()

    def read(start: np.int64) -> tuple[np.ndarray, np.ndarray]:
        return reader.read(range(int(start), min(int(start) + batch_size, len(reader))), buffers.empty)

    starts = tf.data.Dataset.range(rank * batch_size, len(reader), count * batch_size)
    return _dataset(starts, read, (None, *reader.size))


@contextlib.contextmanager
def readers_errors() -> Iterator[None]:
    """Within the block, raise an error of a reader as it is; TensorFlow turns it into the text of another."""
    _failures.clear()
    try:
        yield
    except tf.errors.OpError:
        if _failures:
            raise _failures[0] from None
        raise


def _noted(read: Callable) -> Callable:
    @wraps(read)
    def noted(position: np.int64) -> tuple[np.ndarray, np.ndarray]:
        try:
            return read(position)
        except Exception as error:
            _failures.append(error)
            raise

    return noted


def _dataset(positions: tf.data.Dataset, read: Callable, shape: tuple) -> tf.data.Dataset:
    def load(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.numpy_function(_noted(read), [position], (tf.uint8, tf.uint8), stateful=False)
        return tf.ensure_shape(images, (*shape, 3)), tf.ensure_shape(labels, shape)

    options = tf.data.Options()
    options.autotune.enabled = False  # its threads can delay the end of an iterator by seconds
    options.deterministic = True
    return positions.map(load, num_parallel_calls=_PARALLEL).prefetch(_PREFETCH).with_options(options)
