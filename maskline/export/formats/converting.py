"""What all converters share: they work in silence, and their errors become one sentence."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator

from maskline.errors import InputError
from maskline.messages import one_line, system_error


@contextlib.contextmanager
def converting(network: str, kind: str, remedy: str) -> Iterator[None]:
    """Run a converter without its messages.

    Args:
        network: the name of the network, for the sentence.
        kind: the format, for the sentence.
        remedy: what the user can do, as the end of the sentence.

    Raises:
        InputError: the converter refuses the network.
    """
    try:
        with _silence():
            yield
    except (MemoryError, InputError):
        raise
    except Exception as error:  # converters pass on any error
        if system_error(error):
            raise
        raise InputError(f"{network} cannot be converted to {kind} ({one_line(error)}); {remedy}.") from None


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Discard what Python and the libraries below it write to the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept, nowhere = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
        for descriptor in (*kept, nowhere):
            os.close(descriptor)
