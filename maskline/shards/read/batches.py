"""Batches from shards as tf.data: shuffled and augmented for training, in order for evaluation."""

import contextlib
import math
import weakref
from collections.abc import Callable, Iterator
from functools import wraps

import cv2
import numpy as np
import tensorflow as tf

from maskline.contracts.fit import Size
from maskline.engine.cores import cores
from maskline.shards.read.batch import TrainingBatch
from maskline.shards.read.buffers import BufferPool
from maskline.shards.read.operation import Operation
from maskline.shards.read.processes import Processes
from maskline.shards.read.reader import ShardReader

_THREADS = min(4, cores())  # more of them wait for each other
_PROCESSES = 16  # at most
_MEMORY = 1 << 30  # bytes of all batches that processes make at the same time
_PREFETCH = 2
_failures: list[Exception] = []  # raised while a batch was read, in TensorFlow's threads


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch; at least one."""
    return max(1, examples // batch_size)


def training_batches(
    reader: ShardReader,
    batch_size: int,
    augment: Operation,
    seed: int,
    steps: range,
    rank: int = 0,
    count: int = 1,
    size: Size | None = None,
) -> tf.data.Dataset:
    """Yield augmented images uint8 [B, H, W, 3] and labels uint8 [B, H, W] for each step of a run.

    A batch is a pure function of (seed, step). Every epoch is a new permutation of the whole split, whose last
    `examples % batch_size` examples are dropped. Each of `count` workers gets its part of every batch.

    Args:
        batch_size: images in the batch of all workers, a multiple of `count` unless the split is smaller.
        augment: changes an image uint8 [H, W, 3] and its labels uint8 [H, W] in place, by draws float32 [DRAWS], and
            leaves the result in the first rows and columns.
        steps: a range of steps, counted from the start of the run.
        rank: the worker's number, from 0 on.
        count: the number of workers.
        size: height and width of the result; pixels. None: those of the reader.
    """
    cv2.setNumThreads(1)  # batches are made in parallel, so threads within one image only compete
    batch_size = min(batch_size, len(reader))
    part, size = batch_size // count, size or reader.size
    make = TrainingBatch(
        reader,
        augment,
        seed,
        batch_size,
        steps_per_epoch(len(reader), batch_size),
        slice(rank * part, (rank + 1) * part),
        size,
    )
    shape, buffers = (part, *size), BufferPool()
    processes = _processes(shape)
    made = Processes(make, [(*shape, 3), shape], processes) if processes else make

    def read(step: np.int64) -> tuple[np.ndarray, ...]:
        return made(int(step), buffers.empty)

    dataset = _dataset(tf.data.Dataset.range(steps.start, steps.stop), read, shape, processes or _THREADS)
    if isinstance(made, Processes):
        weakref.finalize(dataset, made.close)  # its iterators keep it; TensorFlow keeps `read` for ever
    return dataset


def _processes(shape: tuple[int, int, int]) -> int:
    """Return in how many processes to make batches: none without a GPU, because threads are enough for a CPU."""
    if not tf.config.get_visible_devices("GPU"):
        return 0
    return max(1, min(_PROCESSES, cores(), _MEMORY // (4 * math.prod(shape))))


def ordered_batches(reader: ShardReader, batch_size: int, rank: int = 0, count: int = 1) -> tf.data.Dataset:
    """Yield images uint8 [B, H, W, 3] and labels uint8 [B, H, W] in order; the last batch may be smaller.

    Args:
        rank: of `count` workers, the one that gets every count-th whole batch from batch `rank` on.
    """
    buffers = BufferPool()

    def read(start: np.int64) -> tuple[np.ndarray, np.ndarray]:
        return reader.read(range(int(start), min(int(start) + batch_size, len(reader))), buffers.empty)

    starts = tf.data.Dataset.range(rank * batch_size, len(reader), count * batch_size)
    return _dataset(starts, read, (None, *reader.size), _THREADS)


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
    def noted(position: np.int64) -> tuple[np.ndarray, ...]:
        try:
            return read(position)
        except Exception as error:
            _failures.append(error)
            raise

    return noted


def _dataset(positions: tf.data.Dataset, read: Callable, shape: tuple, parallel: int) -> tf.data.Dataset:
    @tf.autograph.experimental.do_not_convert  # what it makes of Python code is slow
    def load(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.numpy_function(_noted(read), [position], (tf.uint8, tf.uint8), stateful=False)
        return tf.ensure_shape(images, (*shape, 3)), tf.ensure_shape(labels, shape)

    options = tf.data.Options()
    options.autotune.enabled = False  # its threads can delay the end of an iterator by seconds
    options.deterministic = True
    options.threading.private_threadpool_size = parallel  # those that wait for a batch would hold up the training step
    return positions.map(load, num_parallel_calls=parallel).prefetch(_PREFETCH).with_options(options)
