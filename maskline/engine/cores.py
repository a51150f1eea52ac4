"""The number of cores to work with."""

import os


def cores() -> int:
    """Return the number of cores this process may use; all of them if the system does not report it, as on macOS."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tensorflow_threads() -> int:
    """Return over how many threads TensorFlow divides one operation: its sums depend on them.

    That is the number of cores unless the environment variable TF_NUM_INTRAOP_THREADS sets another.
    """
    given = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else cores()
