"""Kill or starve every stage at random moments until it finishes, and compare its outputs with an uninterrupted run's.

    python benchmarks/soak.py --kills 100 --minutes 60        36 kills in 10 minutes on two busy cores
    python benchmarks/soak.py --nodes 10                      kills of Ray nodes instead, while preprocess runs on them
    python benchmarks/soak.py --workers 20                    kills of worker processes instead, while two of them train

Each start of a stage is forked into its own process group after TensorFlow is imported, because the import takes most
of the time. Moments are drawn in CPU seconds of the stage's own work, so that they do not depend on other load; every
third kill of train waits until a checkpoint is half written. A limit on the size of files stands in for a full disk,
and a limit on the address space for want of memory; both are set on all processes of the stage while they run.
"""

import argparse
import atexit
import contextlib
import os
import random
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import ROOT, digests, run_stages

sys.path.insert(0, str(ROOT / "stages"))
sys.path.append(str(ROOT / "tests/support"))  # last, because both folders have a workers.py

from declared import outputs
from processes import living

from maskline.files.yaml12 import read_yaml

CHANGES = {
    "dataset.limit": 32,
    "preprocess.height": 32,
    "preprocess.width": 32,
    "preprocess.examples_per_shard": 4,
    "model.width": 4,
    "model.dropout": 0.2,
    "augment.rotation": 10.0,
    "augment.brightness": 0.1,
    "train.epochs": 24,
    "train.batch_size": 8,
    "train.class_weights": "median_frequency",
    "train.ema": 0.9,
    "train.early_stopping": 6,
    "evaluate.samples": 3,
}
SHARES = {"download": 0.1, "preprocess": 0.15, "train": 0.5, "evaluate": 0.15, "report": 0.1}  # of all kills
PIPELINE = read_yaml(ROOT / "dvc.yaml")["stages"]
OUTPUTS = {stage: [path for paths in outputs(entry) for path in paths] for stage, entry in PIPELINE.items()}
SIGNALS = [
    ("SIGKILL", signal.SIGKILL, True),
    ("SIGTERM", signal.SIGTERM, True),
    ("SIGINT", signal.SIGINT, True),
    ("leader", signal.SIGKILL, False),
]
LIMITS = [("disk", resource.RLIMIT_FSIZE), ("memory", resource.RLIMIT_AS)]
FILE = 2**13  # bytes that a file may have when the disk is full: enough for the stage's last sentence
ROOM = (0, 2**24, 2**26)  # bytes of address space that are left when memory ends
PATIENCE = 60.0  # seconds until a stage must fail on a limit or finish
ENDS = ("sentence", "traceback", "signal", "hang", "finished")
PER_SERIES = 8  # kills of a stage before it may finish
GRACE = 20.0  # seconds until the last process of a killed group must be gone


@dataclass
class Tally:
    """The observations of one stage."""

    kills: Counter = field(default_factory=Counter)
    ends: dict[str, Counter] = field(default_factory=lambda: {name: Counter() for name, _ in LIMITS})
    writing: int = 0
    runs: list[int] = field(default_factory=list)
    equal: int = 0
    orphans: int = 0
    leftovers: int = 0
    problems: list[str] = field(default_factory=list)


def start(stage: str, folder: Path) -> int:
    """Fork a stage as the leader of a new session in `folder`, and return its process number."""
    (folder / "tmp").mkdir(exist_ok=True)
    if pid := os.fork():
        return pid
    os.setsid()
    os.chdir(folder)
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv[:] = [str(ROOT / f"stages/{stage}.py")]
    sys.path[0] = str(ROOT / "stages")
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        code = 1
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def ended(pid: int) -> bool:
    """Return whether a child has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def half_written(folder: Path) -> bool:
    return any(folder.glob(".checkpoints/*/*.partial"))


def wait_until(pid: int, moment: float, folder: Path, writing: bool) -> bool:
    """Wait until the process has used `moment` CPU seconds and, if asked, writes a checkpoint; False if it ended."""
    while not ended(pid) and cpu_seconds(pid) < moment:
        time.sleep(0.002)
    deadline = time.monotonic() + 5
    while writing and not ended(pid) and not half_written(folder) and time.monotonic() < deadline:
        pass
    return not ended(pid)


def kill(pid: int, number: int, group: bool) -> int:
    """Send a signal, wait for the end of the whole group, and return how many processes were alive after GRACE."""
    (os.killpg if group else os.kill)(pid, number)
    return outlived(pid)


def starve(pid: int, kind: int) -> int:
    """Set a limit on all processes of the group, wait for its end, and return how many were alive after GRACE."""
    for process in living(pid):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            used = int(Path(f"/proc/{process}/statm").read_text().split()[0]) * resource.getpagesize()
            bound = FILE if kind == resource.RLIMIT_FSIZE else used + random.choice(ROOM)
            resource.prlimit(process, kind, (bound, bound))
    deadline = time.monotonic() + PATIENCE
    while not ended(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return outlived(pid)


def outlived(pid: int) -> int:
    """Return how many processes of a group are alive after GRACE, and end them."""
    deadline = time.monotonic() + GRACE
    while (left := living(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if left:
        os.killpg(pid, signal.SIGKILL)
    return len(left)


def end_of(stage: str, folder: Path, status: int) -> str:
    """Return how a stage ended."""
    log = (folder / "log").read_text(errors="replace")
    if status == 0:
        return "finished"
    if os.WIFSIGNALED(status):
        return "signal"
    return "traceback" if "Traceback" in log or f"{stage}: " not in log else "sentence"


def measure(stage: str, folder: Path) -> tuple[float, float]:
    """Run a stage without kills, and return the CPU seconds at which its work begins and ends."""
    pid, begins, ends = start(stage, folder), None, 0.0
    while not ended(pid):
        ends = cpu_seconds(pid)
        if begins is None and stage == "train" and any(folder.glob(".checkpoints/*/*")):
            begins = ends
        time.sleep(0.005)
    _, status = os.waitpid(pid, 0)
    assert status == 0, (folder / "log").read_text()
    return begins or 0.0, ends


def copy_of(reference: Path, folder: Path, stage: str) -> Path:
    """Copy what the stage needs: params, dvc.yaml, and the outputs of the stages before it."""
    folder.mkdir(parents=True)
    before = [name for other in list(OUTPUTS)[: list(OUTPUTS).index(stage)] for name in OUTPUTS[other]]
    for name in ["params.yaml", "dvc.yaml", "baseline.json", *before]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (reference / name).is_dir() else shutil.copy
        copy(reference / name, folder / name)
    return folder


def check(stage: str, folder: Path, expected: dict[str, str], tally: Tally, signal_name: str, finished: bool) -> None:
    """Record outputs with partial content, leftover files, and a stop without its sentence."""
    for name in OUTPUTS[stage]:
        whole = {file: digest for file, digest in expected.items() if file == name or file.startswith(f"{name}/")}
        sums = f"{name}/SHA256SUMS"  # written last, so a complete folder may still lack it
        if (found := digests(folder, [name])) and found | {sums: whole.get(sums)} != whole | {sums: whole.get(sums)}:
            tally.problems.append(f"{stage}: {name} is partial after {signal_name}")
    leftovers = [*folder.rglob("*.partial"), *folder.rglob("*.old"), *(folder / "tmp").iterdir()]
    checkpoints = len(list(folder.glob(".checkpoints/*/*.npz")))
    tally.leftovers = max(tally.leftovers, len([path for path in leftovers if ".partial/" not in str(path)]))
    if checkpoints > 3:  # two, and the one just renamed
        tally.problems.append(f"{stage}: {checkpoints} checkpoints after {signal_name}")
    log = (folder / "log").read_text()
    if signal_name in ("SIGTERM", "SIGINT") and not finished and f"{stage}: stopped; " not in log:
        tally.problems.append(f"{stage}: {signal_name} ended in {log.strip()[-300:]!r}")


def series(
    stage: str, folder: Path, work: tuple[float, float], expected: dict[str, str], tally: Tally, kills: int
) -> None:
    """Start the stage, kill it, and start it again until it finishes; record everything in `tally`."""
    begins, ends = work
    runs = killed = 0
    while True:
        span = (ends - begins) / 4 if stage == "train" else ends
        moment = max(0.1, begins * 0.9 + random.uniform(0, span))
        harms = [*((name, kind, None) for name, kind in LIMITS), *SIGNALS]
        name, number, group = harms[tally.kills.total() % len(harms)]
        pid, runs = start(stage, folder), runs + 1
        writing = stage == "train" and tally.kills.total() % 3 == 1
        if killed == kills or not wait_until(pid, moment, folder, writing):
            break
        tally.writing += half_written(folder)
        began = time.monotonic()
        left = starve(pid, number) if group is None else kill(pid, number, group)
        hung = group is None and time.monotonic() - began > PATIENCE
        tally.orphans += 0 if hung else left
        _, status = os.waitpid(pid, 0)
        killed += 1
        tally.kills[name] += 1
        if group is None:
            end = "hang" if hung else end_of(stage, folder, status)
            tally.ends[name][end] += 1
            if end in ("traceback", "hang"):
                tally.problems.append(f"{stage}: {name} ended in {(folder / 'log').read_text().strip()[-300:]!r}")
        check(stage, folder, expected, tally, name, finished=status == 0)
    _, status = os.waitpid(pid, 0)
    if status:
        tally.problems.append(f"{stage}: failed with {(folder / 'log').read_text().strip()[-300:]!r}")
    tally.runs.append(runs)
    tally.equal += digests(folder, OUTPUTS[stage]) == expected
    if leftovers := [*folder.rglob("*.partial"), *folder.rglob("*.old")]:
        tally.problems.append(f"{stage}: {leftovers} is left at the end")


def soak(folder: Path, kills: int, minutes: float) -> dict[str, Tally]:
    """Kill the stages `kills` times in total, or as often as the time allows, in `folder`."""
    prepare()
    deadline = time.monotonic() + 60 * minutes
    reference, tallies = folder / "uninterrupted", {stage: Tally() for stage in SHARES}
    run_stages(reference, CHANGES, [])
    work = {stage: measure(stage, reference) for stage in SHARES}
    print("CPU seconds of work:", {stage: f"{a:.1f} to {b:.1f}" for stage, (a, b) in work.items()}, flush=True)
    left = {stage: round(kills * share) for stage, share in SHARES.items()}
    while any(left.values()) and time.monotonic() < deadline:
        for stage in [stage for stage in SHARES if left[stage]]:
            tally = tallies[stage]
            place = copy_of(reference, folder / f"{stage}-{len(tally.runs)}", stage)
            most = min(left[stage], PER_SERIES)
            series(stage, place, work[stage], digests(reference, OUTPUTS[stage]), tally, most)
            left[stage] = max(0, round(kills * SHARES[stage]) - tally.kills.total())
            print(stage, tally, flush=True)
            shutil.rmtree(place)
    return tallies


def soak_nodes(kills: int) -> bool:
    """Kill a Ray node in each of `kills` runs of preprocess, and return whether all ended in the same bytes."""
    import cluster

    with tempfile.TemporaryDirectory() as folder:
        run_stages(Path(folder), CHANGES, ["download"])
        tally = cluster.kill_nodes(Path(folder), kills)
    print(f"{tally.runs} runs, {tally.in_time} killed in time, {tally.equal} of equal bytes, {tally.left} objects left")
    return tally.equal == tally.runs and not tally.left


def soak_workers(kills: int) -> bool:
    """Kill training processes, and return whether all ended in a sentence, then in the same bytes, and left none."""
    import workers

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        run_stages(folder, CHANGES | {"train.workers": 2}, ["download", "preprocess"])
        tally = workers.kill_workers(folder, kills)
    print(
        f"{tally.kills} kills in {tally.runs} trainings: {tally.sentences} ended in the sentence, after at most "
        f"{max(tally.seconds)} s, {tally.left} processes left; {tally.resumed} resumed, {tally.equal} of equal bytes"
    )
    return tally.equal == tally.runs and tally.sentences == tally.kills and not tally.left


def prepare() -> None:
    """Import what the stages import, without computing anything, because forks of computing threads can hang."""
    sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]
    import entry

    entry.import_tensorflow()
    import maskline.datasets.canonical
    import maskline.datasets.prepare
    import maskline.evaluation.evaluate
    import maskline.report.page
    import maskline.training.train  # noqa: F401


def table(tallies: dict[str, Tally]) -> str:
    names = [name for name, *_ in (*SIGNALS, *LIMITS)]
    heads = ["stage", *names, "in a write", "runs until done", "equal bytes", "orphans", "temporary"]
    heads += [f"{name} ended in" for name, _ in LIMITS]
    rows = [heads, ["---"] * len(heads)]
    for stage, tally in tallies.items():
        runs = f"{len(tally.runs)} x {min(tally.runs, default=0)} to {max(tally.runs, default=0)}"
        equal = f"{tally.equal} of {len(tally.runs)}"
        counts = [tally.kills[name] for name in names]
        rows.append([stage, *counts, tally.writing, runs, equal, tally.orphans, f"at most {tally.leftovers}"])
        rows[-1] += [", ".join(f"{seen[end]} {end}" for end in ENDS if seen[end]) for seen in tally.ends.values()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill or starve every stage at random moments and compare the bytes.")
    parser.add_argument("--kills", type=int, default=100, help="total number; half of them are kills of train")
    parser.add_argument("--minutes", type=float, default=60.0, help="time limit for starting a new series")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="working folder; default: a temporary one")
    parser.add_argument("--nodes", type=int, default=0, help="kill this number of Ray nodes instead")
    parser.add_argument("--workers", type=int, default=0, help="kill this number of training processes instead")
    options = parser.parse_args()
    random.seed(options.seed)
    if options.nodes:
        sys.exit(not soak_nodes(options.nodes))
    if options.workers:
        sys.exit(not soak_workers(options.workers))
    folder = tempfile.mkdtemp(
        dir=options.folder
    )  # no TemporaryDirectory, which forked stages would remove at their end
    try:
        tallies = soak(Path(folder).resolve(), options.kills, options.minutes)
    finally:
        shutil.rmtree(folder)
    print(table(tallies))
    problems = [problem for tally in tallies.values() for problem in tally.problems]
    whole = all(tally.equal == len(tally.runs) and not tally.orphans for tally in tallies.values())
    sys.exit("\n".join(problems) if problems else not whole)


if __name__ == "__main__":
    main()
