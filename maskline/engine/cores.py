"""The number of cores to work with."""

import os


def cores() -> int:
    """Return the number of cores this process may use; all of them if the system does not report it, as on macOS."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
