"""What all workers of one training must have in common: its inputs, the state that they start from, and the weights."""

import hashlib
import json
from typing import Any

import numpy as np
import tensorflow as tf

from maskline.engine import replicas
from maskline.errors import InputError
from maskline.training.checkpoint import State, state_bytes, state_of
from maskline.training.trainer import Trainer

# What a user calls the parts of a fingerprint.
_WORDS = {
    "model": "params of section model",
    "augment": "params of section augment",
    "train": "params of section train",
    "code": "code of maskline",
    "data": "shards",
    "weights": "encoder weights",
    "libraries": "versions of TensorFlow, Keras or NumPy",
}
_PIECE = 1 << 22  # numbers of 8 bytes that are sent at once


def check_same(fingerprint: dict[str, Any]) -> None:
    """Check that all workers call this with the same fingerprint.

    Raises:
        InputError: names the workers and the parts that differ; the same on every worker.
    """
    if replicas.count() == 1:
        return
    differing = _differing([json.dumps(part, sort_keys=True).encode() for part in fingerprint.values()])
    if not differing.any():
        return
    first = int(differing.any(axis=1).argmax())
    names = [_WORDS.get(name, name) for name, differs in zip(fingerprint, differing[first], strict=True) if differs]
    raise InputError(
        f"worker {first} does not have worker 0's {' and '.join(names)}; all workers need the same clone, params, "
        "data/shards/ and data/weights/: bring them up to date on every host, and start all workers again."
    )


def check_equal(trainer: Trainer) -> None:
    """Check that all workers have the same variables.

    Raises:
        InputError: names a worker that differs; the same on every worker.
    """
    differing = _differing([b"".join(value.tobytes() for value in trainer.values())])
    if differing.any():
        raise InputError(
            f"the weights of worker {int(differing.argmax())} are not those of worker 0, so their hosts round "
            "differently; train on hosts with the same kind of processor or GPU."
        )


def first_workers_state(state: State, trainer: Trainer) -> State:
    """Return the first worker's state on every worker; at the start of a run, set the variables to the first worker's.

    The best weights are on the first worker alone.
    """
    if not state.step:
        state.variables = trainer.values()
    received = state_of(_broadcast(state_bytes(State(state.step, state.history, state.variables))))
    assert received
    if not received.step:
        trainer.assign(received.variables)
    received.best = state.best
    return received


def _differing(parts: list[bytes]) -> np.ndarray:
    """Return which worker's parts are not worker 0's, bool [workers, parts]."""
    digests = [list(hashlib.sha256(part).digest()) for part in parts]
    gathered = replicas.gather(tf.constant([digests], tf.float32)).numpy()
    different: np.ndarray = (gathered != gathered[:1]).any(axis=-1)
    return different


def _broadcast(data: bytes) -> bytes:
    """Return the first worker's data on every worker; the data of the others count for nothing."""
    is_first = replicas.rank() == 0
    size = int(replicas.all_sum(tf.constant([len(data) if is_first else 0], tf.int64))[0])
    numbers = np.zeros(-(-size // 8), np.int64)
    if is_first:
        numbers.view(np.uint8)[:size] = np.frombuffer(data, np.uint8)
    pieces = [numbers[start : start + _PIECE] for start in range(0, len(numbers), _PIECE)]
    received = np.concatenate([replicas.all_sum(tf.constant(piece)).numpy() for piece in pieces])
    return received.tobytes()[:size]
