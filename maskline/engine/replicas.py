"""The replicas of one training: this one's place among them, and sums and rows over all of them.

Replicas are workers, which are processes, or the towers of one process. Each has the same number of rows of a batch:
replica r of n has rows r / n to (r + 1) / n of it. A tensor that is the same on every replica is computed by each of
them.

All replicas must trace the same operations in the same order. Every replica receives the same bytes. With one replica,
the functions return their arguments, and a graph has no operation of theirs.
"""

import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from maskline.engine.towers import Meeting

_GROUP = 1 << 20  # TensorFlow's strategies number their own groups from 1


@dataclasses.dataclass(frozen=True)
class _Workers:
    """A rank among `count` processes; operations that share `order` run in the order in which they are traced."""

    rank: int = 0
    count: int = 1
    order: tf.Variable | None = None

    def total(self, tensor: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.CollectiveReduceV2(input=tensor, merge_op="Add", final_op="Id", **self._exchange())

    def rows(self, tensor: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.CollectiveGatherV2(input=tensor, **self._exchange())

    def drawn(self, draw: Callable[[], tf.Tensor]) -> tf.Tensor:
        return draw()

    def _exchange(self) -> dict:
        """Return the arguments of the next operation between the workers."""
        assert self.order is not None
        return {
            "group_size": self.count,
            "group_key": _GROUP,
            "instance_key": next(_numbers),
            "ordering_token": [self.order.handle],
        }


@dataclasses.dataclass(frozen=True)
class _Tower:
    """A rank among the towers that meet in one graph."""

    rank: int
    meeting: Meeting

    @property
    def count(self) -> int:
        return self.meeting.count

    def total(self, tensor: tf.Tensor) -> tf.Tensor:
        return self.meeting.exchange(self.rank, tensor, tf.add_n)

    def rows(self, tensor: tf.Tensor) -> tf.Tensor:
        return self.meeting.exchange(self.rank, tensor, partial(tf.concat, axis=0))

    def drawn(self, draw: Callable[[], tf.Tensor]) -> tf.Tensor:
        return self.meeting.exchange(self.rank, draw() if self.rank == 0 else None, lambda brought: brought[0])


_workers = _Workers()
_thread = threading.local()  # its `tower` is the one that this thread traces
_numbers = itertools.count(1)


def join(rank: int, count: int) -> None:
    """Make this process one of `count` workers.

    A `tf.distribute.MultiWorkerMirroredStrategy` must exist, because it connects the processes.
    """
    global _workers
    _workers = _Workers(rank, count, tf.Variable(0.0, trainable=False) if count > 1 else None)


def in_towers(work: Callable[..., Any], parts: Sequence[Sequence[tf.Tensor]]) -> list[Any]:
    """Trace a function once for each tower, into the current graph, and return the towers' results.

    Args:
        work: function of a tower's part of the batch; within it, `rank` and `count` are those of the tower.
        parts: arguments of each tower.
    """
    meeting = Meeting(len(parts))

    def of_tower(rank: int) -> Any:
        _thread.tower = _Tower(rank, meeting)
        return work(*parts[rank])

    return meeting.run([partial(of_tower, rank) for rank in range(len(parts))])


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
    """Return this replica's number, from 0 on."""
    return _place().rank


def count() -> int:
    """Return the number of replicas."""
    return _place().count


def owns_variables() -> bool:
    """Return whether this replica changes variables: a worker its own, of towers the first those of all."""
    return isinstance(_place(), _Workers) or rank() == 0


def all_sum(tensor: tf.Tensor) -> tf.Tensor:
    """Return the sum of the replicas' tensors, which have the same shape and are not empty; differentiable."""
    return tensor if count() == 1 else _all_sum(tensor)


def all_sums(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Return `all_sum` of each tensor, by one exchange of them all. Their shapes are known, their type is the same."""
    if count() == 1:
        return list(tensors)
    sizes = [tensor.shape.num_elements() for tensor in tensors]
    summed = tf.split(all_sum(tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)), sizes)
    return [tf.reshape(flat, tensor.shape) for flat, tensor in zip(summed, tensors, strict=True)]


def gather(tensor: tf.Tensor) -> tf.Tensor:
    """Return the rows (axis 0) of the replicas' tensors in the order of their ranks; differentiable.

    The tensors have the same shape, are not empty, and hold floats or small integers.
    """
    if count() == 1:
        return tensor
    return _gather(tensor) if tensor.dtype.is_floating else tf.cast(_gather(tf.cast(tensor, tf.float32)), tensor.dtype)


def plain_sum(tensor: tf.Tensor) -> tf.Tensor:
    """Return `all_sum` without a gradient, which takes less time to trace."""
    return tensor if count() == 1 else _place().total(tensor)


def plain_gather(tensor: tf.Tensor) -> tf.Tensor:
    """Return `gather` of floats without a gradient, which takes less time to trace."""
    return tensor if count() == 1 else _place().rows(tensor)


def own_rows(tensor: tf.Tensor) -> tf.Tensor:
    """Return this replica's rows (axis 0) of a tensor that is the same on every replica."""
    if count() == 1:
        return tensor
    rows = tf.shape(tensor)[0] // count()
    return tensor[rank() * rows : (rank() + 1) * rows]


def counted_once(loss: tf.Tensor) -> tf.Tensor:
    """Return a scalar that every replica has computed, as what it adds to the objective: 0, but for the first one.

    The sum of these over the replicas is the scalar, and the sum of their gradients is the scalar's gradient, because
    the gradient of `all_sum` adds up what all replicas' results owe to each replica's tensor.
    """
    return loss if rank() == 0 else loss * 0.0


def drawn_once(draw: Callable[[], tf.Tensor]) -> tf.Tensor:
    """Return what `draw` draws from a generator, the same on every replica; towers share one generator."""
    return _place().drawn(draw)


def _place() -> _Workers | _Tower:
    return getattr(_thread, "tower", _workers)


@tf.custom_gradient
def _all_sum(tensor: tf.Tensor) -> tuple:
    return plain_sum(tensor), plain_sum


@tf.custom_gradient
def _gather(tensor: tf.Tensor) -> tuple:
    own = tensor.shape[0]
    rows = tf.ensure_shape(plain_gather(tensor), [own and own * count(), *tensor.shape[1:]])
    return rows, lambda outer: own_rows(plain_sum(outer))
