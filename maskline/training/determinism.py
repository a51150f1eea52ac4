"""Whether two trainings give the same bytes: the choice, and the operations that refuse it."""

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from maskline.errors import InputError

_REFUSED = re.compile(r"(?:implementation of|supported for) (.+?)(?= is not| not available| that |\.|$)", re.M)


def choose_determinism(deterministic: bool) -> None:
    """Let TensorFlow use deterministic operations alone, or say that it may use any. The choice is the process's."""
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    else:
        print("train: train.deterministic is false, so another run may give another model.", flush=True)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Within the block, an operation without a deterministic kernel for this device raises an InputError.

    Raises:
        InputError: names the operation and `train.deterministic`.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if "determinis" not in error.message.lower():
            raise
        raise InputError(
            f"{_operation(error.message)} has no deterministic kernel on this device; set train.deterministic to "
            "false, which is faster, but another run may then give another model (Received: true)."
        ) from None


def _operation(message: str) -> str:
    """Return the operation that TensorFlow's message names, or the message's first line."""
    found = _REFUSED.search(message)
    return found[1] if found else message.partition("\n")[0]
