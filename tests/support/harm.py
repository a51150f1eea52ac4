"""What no input may do: end in anything but a sentence, touch a file outside the outputs, or take time without end."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from maskline.errors import InputError

ROOT = Path(__file__).parents[2]
LONGEST = 2000  # characters of a sentence


def sentence(work: Callable[[], Any]) -> str | None:
    """Do the work, and return None where it succeeds, else the one sentence that it ends in."""
    try:
        work()
    except InputError as error:
        text = str(error)
        assert text and "\n" not in text and len(text) <= LONGEST, text
        return text
    return None


def listing(folder: Path) -> dict[str, tuple[int, int, str | None]]:
    """Return inode, size and link of everything below a folder."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            about = os.lstat(path)
            size = 0 if os.path.isdir(path) else about.st_size
            found[path] = (about.st_ino, size, os.readlink(path) if os.path.islink(path) else None)
    return found


def attack(strategy: Any, work: Callable[[Any], None]) -> None:
    """Call `work` on as many values of a strategy as the command line says."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    phases = (Phase.explicit, Phase.generate, Phase.shrink)
    options = settings(
        max_examples=int(sys.argv[1]), suppress_health_check=checks, phases=phases, derandomize=True, database=None,
        deadline=None,
    )  # fmt: skip
    given(strategy)(options(work))()


def run_attack(name: str, cases: int, seconds: float, gibibytes: int) -> subprocess.CompletedProcess:
    """Run `tests/hostile/NAME.py` in a process of its own with bounds on its time and its address space."""
    bound = gibibytes * 2**30
    return subprocess.run(
        [sys.executable, ROOT / "tests/hostile" / f"{name}.py", str(cases)],
        timeout=seconds, capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}", "TF_CPP_MIN_LOG_LEVEL": "3"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (bound, bound)),
    )  # fmt: skip
