"""The memory that a process holds which starts as a stage does.

A fork shares the code of the libraries with its parent, and the system counts for it only the part that it has used. A
stage loads all of it, so that what the fork has not used yet is added.
"""

import os
import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the most bytes that this process has held."""
    return _peak() + _unused_code()


def resident_memory() -> int:
    """Return the bytes that this process holds, or the most that it has held where the system does not say."""
    return (_status("self", "VmRSS") or _peak()) + _unused_code()


def _peak() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _unused_code() -> int:
    return max(0, _status(str(os.getppid()), "RssFile") - _status("self", "RssFile"))


def _status(process: str, key: str) -> int:
    """Return a number of bytes in the status of a process, or 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), 0)
