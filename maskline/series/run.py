"""Running or queueing the experiments of a series that have no result."""

import contextlib
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from maskline.comparison.experiments import read_experiments
from maskline.errors import InputError
from maskline.files.committed import refuse_changes
from maskline.files.git import environment
from maskline.series.own_files import overrides
from maskline.series.pipeline import Member, Series

_PATIENCE = 20  # seconds in which an interrupted experiment can end by itself


def run_missing(series: Series, done: Collection[int]) -> None:
    """Run the experiments that are not `done`, one after another, each in a temporary copy of the commit.

    What DVC prints goes to stderr.

    Raises:
        InputError: tracked files are changed, an experiment waits in DVC's queue, or one fails.
    """
    missing = [member for number, member in series.members.items() if number not in done]
    if not missing:
        return
    _refuse_changes(series)
    _refuse_waiting(series)
    if done:
        _say(series, f"{len(done)} of {len(series.members)} {series.plural} are finished already.")
    for member in missing:
        _say(series, f"running {member.title}.")
        if code := _run(_command(series, member, "--temp"), series.pipeline.folder):
            raise InputError(
                f"{member.title} failed with exit code {code}; mend what is named above, and run the command "
                f"again, which keeps the finished {series.plural}."
            )


def queue_missing(series: Series, done: Collection[int]) -> list[str]:
    """Put the experiments that are neither `done` nor waiting into DVC's queue, and return the names of all that wait.

    Raises:
        InputError: tracked files are changed, or DVC refuses.
    """
    waiting = _waiting(series)
    missing = [m for number, m in series.members.items() if number not in done and m.name not in waiting]
    if missing:
        _refuse_changes(series)
    for member in missing:
        if code := _run(_command(series, member, "--queue"), series.pipeline.folder):
            raise InputError(f"DVC cannot queue {member.title} (exit code {code}); mend what is named above.")
    return [m.name for m in series.members.values() if m in missing or m.name in waiting]


def _say(series: Series, sentence: str) -> None:
    print(f"{series.plural}: {sentence}", file=sys.stderr, flush=True)


def _refuse_changes(series: Series) -> None:
    """Refuse changes of tracked files: a later start could not tell changed files apart."""
    refuse_changes(series.pipeline.root, f"and all {series.plural} must start from one commit")


def _waiting(series: Series) -> dict[str, str]:
    """Return the state of each experiment that DVC's queue holds or runs, by name, in the order of the series."""
    shown = read_experiments(series.pipeline.folder)
    states = {e.name: e.state for e in shown if e.state in ("queued", "running")}
    return {member.name: states[member.name] for member in series.members.values() if member.name in states}


def _refuse_waiting(series: Series) -> None:
    for name, state in _waiting(series).items():
        is_running = state == "running"
        raise InputError(
            f"the experiment {name} is {state}; "
            f"{'wait until it has ended' if is_running else '`dvc queue start` runs it'}, or remove it with "
            f"`dvc queue {'kill' if is_running else 'remove'} {name}`."
        )


def _command(series: Series, member: Member, how: str) -> list[str]:
    changes = [part for change in overrides(series.pipeline, member) for part in ("-S", change)]
    return [sys.executable, "-m", "dvc", "exp", "run", how, "--name", member.name, *changes]


def _run(command: list[str], folder: Path) -> int:
    with (
        subprocess.Popen(command, cwd=folder, env=environment(), stdout=sys.__stderr__) as process,
        _ended(process),
    ):
        return process.wait()


@contextlib.contextmanager
def _ended(process: subprocess.Popen) -> Iterator[None]:
    """If the block is interrupted, let a process end that the same Ctrl-C reached, or else kill it."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        process.kill()
        raise
