"""Ctrl-C and SIGTERM deferred to the end of a step, because an interrupted step can be done but not counted."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from maskline.errors import Stopped

_received: list[int] = []


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer signals in the block to the next `stop_if_requested`, or to the end of the block.

    Raises:
        Stopped: a deferred signal is pending at the end of the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    # A stage in the background ignores Ctrl-C, and the block must not change that.
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
    """Stop here if a deferred signal is pending.

    Raises:
        Stopped: a signal is pending.
    """
    if _received:
        raise Stopped
