"""The number of cores to work with."""

import os


def cores() -> int:
    """Return the number of cores this process may use; all of them if the system does not report it, as on macOS."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def take_share(number: int, count: int) -> None:
    """Leave to this process its share of the cores: the part `number`, from 0 on, of `count` equal ones.

    Call it before TensorFlow is imported. A share is one core at least.
    """
    each = max(1, cores() // count)
    if hasattr(os, "sched_setaffinity"):
        own = sorted(os.sched_getaffinity(0))
        start = number * each % len(own)
        os.sched_setaffinity(0, own[start : start + each])
    else:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(each))


def tensorflow_threads() -> int:
    """Return over how many threads TensorFlow divides one operation: its sums depend on them.

    That is the number of cores unless the environment variable TF_NUM_INTRAOP_THREADS sets another.
    """
    given = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else cores()
