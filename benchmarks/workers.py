"""Training by several worker processes: images/s next to one process's, and the kills of workers for `soak.py`.

    python benchmarks/workers.py                  images/s of 1 and of 2 workers on the cores of this machine
    python benchmarks/soak.py --workers 20        kills of workers, with counts

Images/s are those from the end of the first epoch to that of the last, validation included.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import ROOT, digests, run_stages, write_pipeline

sys.path.append(str(ROOT / "tests/support"))  # last, because both folders have a workers.py

from processes import living

from maskline.contracts.manifest import read_manifest

OUT = ["data/model"]
EPOCHS = 5
SPEED = {"dataset.limit": 128, "train.epochs": EPOCHS}
KILLED = re.compile(
    r"train: worker \d of the \d on this host was killed, .*; the next run goes on from the last checkp"
)
PATIENCE = 30.0  # seconds within which all workers must end once one is lost


@dataclass
class Tally:
    """The observations of killed workers."""

    kills: int = 0
    sentences: int = 0
    resumed: int = 0
    left: int = 0
    runs: int = 0
    equal: int = 0
    seconds: list[float] = field(default_factory=list)


def start(folder: Path) -> subprocess.Popen:
    """Start the stage train as the leader of a session, with its output in `log`."""
    with open(folder / "log", "w") as log:
        command = [sys.executable, ROOT / "stages/train.py"]
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)


def said(folder: Path) -> str:
    return (folder / "log").read_text()


def is_worker(process: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_workers(folder: Path, kills: int) -> Tally:
    """Kill a worker of each run at a random moment after its first new epoch, until there were `kills` in all.

    Args:
        folder: with params and shards, ready for train.
        kills: how many.
    """
    found = Tally()
    started = time.monotonic()
    assert start(folder).wait() == 0, said(folder)
    expected, whole = digests(folder, OUT), time.monotonic() - started
    while found.kills < kills:
        start_over(folder)
        found.runs += 1
        for _ in range(random.randint(1, 3)):
            if found.kills == kills or not lose_a_worker(folder, found, random.uniform(0, whole / 4)):
                break
        assert start(folder).wait() == 0, said(folder)
        found.resumed += "resumes after step" in said(folder)
        found.equal += digests(folder, OUT) == expected
        print(found, flush=True)
    return found


def start_over(folder: Path) -> None:
    """Remove what train left, so that it starts from its first step."""
    for name in ("data/model", ".checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)


def lose_a_worker(folder: Path, found: Tally, delay: float) -> bool:
    """Kill a worker `delay` seconds after an epoch, and record what becomes of the others; False if train ended."""
    process = start(folder)
    while process.poll() is None and "\nepoch " not in said(folder):
        time.sleep(0.02)
    time.sleep(delay)
    workers = list(filter(is_worker, living(process.pid)))
    if process.poll() is not None or len(workers) < 2:
        process.wait()
        return False
    begun = time.monotonic()
    os.kill(random.choice(workers), signal.SIGKILL)
    found.kills += 1
    try:
        process.wait(PATIENCE)
        while time.monotonic() - begun < PATIENCE and living(process.pid):
            time.sleep(0.02)
    finally:
        found.seconds.append(round(time.monotonic() - begun, 1))
        found.left += len(living(process.pid))
    found.sentences += bool(KILLED.match(said(folder).splitlines()[-1]))
    return True


def speed(folder: Path, workers: int) -> float:
    """Return images/s of training between its first epoch and its last, validation included."""
    write_pipeline(folder, SPEED | {"train.workers": workers})
    start_over(folder)
    process, times = start(folder), {}
    while process.poll() is None:
        times.setdefault(said(folder).count("\nepoch "), time.monotonic())
        time.sleep(0.01)
    assert process.returncode == 0, said(folder)
    examples = read_manifest(folder / "data/shards").splits["train"].examples
    return examples * (EPOCHS - 1) / (times[EPOCHS] - times[1])


def main() -> None:
    argparse.ArgumentParser(
        description="Measure images/s of one and of two workers on this machine's cores."
    ).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        run_stages(folder, SPEED, ["download", "preprocess"])
        for workers in (1, 2, 1, 2):
            print(f"{workers} workers: {speed(folder, workers):.1f} images/s", flush=True)


if __name__ == "__main__":
    main()
