"""Processes that train together on the loopback interface."""

import os
import subprocess
import sys
from pathlib import Path

from maskline.engine.place import VARIABLE, Place, local_places

TESTS = Path(__file__).parents[1]


def run_workers(script: Path, out: Path, count: int, *arguments: str, seconds: float) -> None:
    """Run `script OUT RANK ARGUMENTS` as each of `count` workers, and wait for all.

    Raises:
        AssertionError: one of them failed; the message ends with what it printed.
    """
    started = [
        _start([sys.executable, script, out, str(place.rank), *arguments], place) for place in local_places(count)
    ]
    try:
        said = [process.communicate(timeout=seconds)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    for process, text in zip(started, said, strict=True):
        assert process.returncode == 0, text[-4000:]


def _start(command: list, place: Place) -> subprocess.Popen[str]:
    environment = os.environ | {
        VARIABLE: place.tf_config(),
        "TF_NUM_INTRAOP_THREADS": "1",  # sums depend on the number of threads
        "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS, TESTS / "support"))),
    }
    return subprocess.Popen(
        command, env=environment, cwd=TESTS.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
