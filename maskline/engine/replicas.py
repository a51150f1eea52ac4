"""The workers of one training: this process's place among them, and sums and rows over all of them.

Each worker has the same number of rows of a batch: worker r of n has rows r / n to (r + 1) / n of it. A tensor that is
the same on every worker is computed by each of them.

All workers must trace the same operations in the same order. The operations run in that order, and every worker
receives the same bytes. With one worker, the functions return their arguments, and a graph has no operation of theirs.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import tensorflow as tf

_GROUP = 1 << 20  # TensorFlow's strategies number their own groups from 1


@dataclasses.dataclass(frozen=True)
class _Workers:
    """A rank among `count` workers; operations that share `order` run in the order in which they are traced."""

    rank: int = 0
    count: int = 1
    order: tf.Variable | None = None


_workers = _Workers()
_numbers = itertools.count(1)


def join(rank: int, count: int) -> None:
    """Make this process one of `count` workers.

    A `tf.distribute.MultiWorkerMirroredStrategy` must exist, because it connects the processes.
    """
    global _workers
    _workers = _Workers(rank, count, tf.Variable(0.0, trainable=False) if count > 1 else None)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let this process be the only worker within the block, as for a validation batch that no other worker has."""
    global _workers
    joined, _workers = _workers, _Workers()
    try:
        yield
    finally:
        _workers = joined


def rank() -> int:
    """Return this process's number, from 0 on."""
    return _workers.rank


def count() -> int:
    """Return the number of workers."""
    return _workers.count


def all_sum(tensor: tf.Tensor) -> tf.Tensor:
    """Return the sum of the workers' tensors, which have the same shape and are not empty; differentiable."""
    return tensor if count() == 1 else _all_sum(tensor)


def all_sums(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Return `all_sum` of each tensor, by one exchange of them all. Their shapes are known, their type is the same."""
    if count() == 1:
        return list(tensors)
    sizes = [tensor.shape.num_elements() for tensor in tensors]
    summed = tf.split(all_sum(tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)), sizes)
    return [tf.reshape(flat, tensor.shape) for flat, tensor in zip(summed, tensors, strict=True)]


def gather(tensor: tf.Tensor) -> tf.Tensor:
    """Return the rows (axis 0) of the workers' tensors in the order of their ranks; differentiable.

    The tensors have the same shape, are not empty, and hold floats or small integers.
    """
    if count() == 1:
        return tensor
    return _gather(tensor) if tensor.dtype.is_floating else tf.cast(_gather(tf.cast(tensor, tf.float32)), tensor.dtype)


def own_rows(tensor: tf.Tensor) -> tf.Tensor:
    """Return this worker's rows (axis 0) of a tensor that is the same on every worker."""
    if count() == 1:
        return tensor
    rows = tf.shape(tensor)[0] // count()
    return tensor[rank() * rows : (rank() + 1) * rows]


def counted_once(loss: tf.Tensor) -> tf.Tensor:
    """Return a scalar that every worker has computed, as what it adds to the objective: 0, but for the first worker.

    The sum of these over the workers is the scalar, and the sum of their gradients is the scalar's gradient, because
    the gradient of `all_sum` adds up what all workers' results owe to each worker's tensor.
    """
    return loss if rank() == 0 else loss * 0.0


@tf.custom_gradient
def _all_sum(tensor: tf.Tensor) -> tuple:
    options = _exchange()
    return tf.raw_ops.CollectiveReduceV2(input=tensor, merge_op="Add", final_op="Id", **options), all_sum


@tf.custom_gradient
def _gather(tensor: tf.Tensor) -> tuple:
    rows = tf.raw_ops.CollectiveGatherV2(input=tensor, **_exchange())
    own = tensor.shape[0]
    return tf.ensure_shape(rows, [own and own * count(), *tensor.shape[1:]]), lambda outer: own_rows(all_sum(outer))


def _exchange() -> dict:
    """Return the arguments of the next operation between the workers."""
    order = _workers.order
    assert order is not None
    return {
        "group_size": count(),
        "group_key": _GROUP,
        "instance_key": next(_numbers),
        "ordering_token": [order.handle],
    }
