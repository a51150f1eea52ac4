"""How a subcommand that leaves something to clear away is stopped."""

import signal


def stop_like_interrupt() -> None:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does, so that nothing is left behind."""
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
