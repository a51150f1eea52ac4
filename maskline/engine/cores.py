"""How many cores there are to work with."""

import os


def cores() -> int:
    """Return the cores this process may use; macOS cannot say, and has no fewer than all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
