"""Ctrl-C and SIGTERM wait until a step is over: one that ends a step early would leave it done but not counted."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from maskline.errors import Stopped

_received: list[int] = []


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Let signals that would end the block wait for the next `stop_if_requested`, or for the block's end.

    Raises:
        Stopped: a signal still waits at the block's end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    # A stage in the background ignores Ctrl-C; so does the block.
    handlers = {s: h for s in (signal.SIGINT, signal.SIGTERM) if callable(h := signal.getsignal(s))}
    try:
        for number in handlers:
            signal.signal(number, lambda received, _: _received.append(received))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    stop_if_requested()


def stop_if_requested() -> None:
    """End the work here if a signal waits.

    Raises:
        Stopped: a signal waits.
    """
    if _received:
        raise Stopped
