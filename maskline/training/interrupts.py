"""Ctrl-C and SIGTERM answered between steps: one that comes within a step would leave it done but not counted."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from maskline.errors import Stopped

_waiting: list[int] = []


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let signals that would stop the block wait for the next `answer`, or for the block's end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _waiting.clear()
    # A stage in the background ignores Ctrl-C, and goes on to do so.
    handlers = {s: h for s in (signal.SIGINT, signal.SIGTERM) if callable(h := signal.getsignal(s))}
    try:
        for number in handlers:
            signal.signal(number, lambda received, _: _waiting.append(received))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    answer()


def answer() -> None:
    """Stop here if a signal waits.

    Raises:
        Stopped: it does.
    """
    if _waiting:
        raise Stopped
