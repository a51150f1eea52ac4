"""Run a command, and print its wall seconds, CPU seconds and peak resident memory: `python usage.py COMMAND ...`.

It does so in a small process of its own, because Linux counts the memory of the process that starts a command as the
command's.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """The wall seconds, CPU seconds and peak resident memory in MiB of a command."""

    wall: float
    cpu: float
    memory: float


def used(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> Usage:
    """Run a command in a folder, and return its usage.

    Raises:
        CalledProcessError: its exit code is not 0.
    """
    done = subprocess.run(
        [sys.executable, __file__, *command], cwd=folder, check=True, stdout=subprocess.PIPE, text=True, env=env
    )
    return Usage(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run the command of the arguments, without its output unless it fails."""
    begun = time.perf_counter()
    done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wall = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{sys.argv[1:]} failed: {done.stdout[-2000:]}")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    print(json.dumps([wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit]))


if __name__ == "__main__":
    main()
