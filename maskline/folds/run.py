"""Running or queueing the experiments of the folds that have no result."""

import contextlib
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from maskline.comparison.experiments import read_experiments
from maskline.errors import InputError
from maskline.files.committed import refuse_changes
from maskline.files.git import environment
from maskline.folds.own_files import overrides
from maskline.folds.pipeline import Pipeline

_PATIENCE = 20  # seconds in which an interrupted experiment can end by itself
_ONE_COMMIT = "and all folds must start from one commit"  # a later start could not tell changed files apart


def run_folds(pipeline: Pipeline, folds: int, done: Collection[int]) -> None:
    """Run the folds that are not `done`, one after another, each in a temporary copy of the commit.

    What DVC prints goes to stderr.

    Raises:
        InputError: tracked files are changed, a fold waits in DVC's queue, or an experiment fails.
    """
    missing = [fold for fold in range(1, folds + 1) if fold not in done]
    if not missing:
        return
    refuse_changes(pipeline.root, _ONE_COMMIT)
    _refuse_waiting(pipeline, folds, _waiting(pipeline, folds))
    if done:
        print(f"folds: {len(done)} of {folds} folds are finished already.", file=sys.stderr, flush=True)
    for fold in missing:
        print(f"folds: running fold {fold} of {folds}.", file=sys.stderr, flush=True)
        if code := _run(_command(pipeline, fold, folds, "--temp"), pipeline.folder):
            raise InputError(
                f"fold {fold} of {folds} failed with exit code {code}; mend what is named above, and run the command "
                "again, which keeps the finished folds."
            )


def queue_folds(pipeline: Pipeline, folds: int, done: Collection[int]) -> list[str]:
    """Put the folds that are neither `done` nor waiting into DVC's queue, and return the names of all that wait.

    Raises:
        InputError: tracked files are changed, or DVC refuses.
    """
    waiting = _waiting(pipeline, folds)
    missing = [fold for fold in range(1, folds + 1) if fold not in done and fold not in waiting]
    if missing:
        refuse_changes(pipeline.root, _ONE_COMMIT)
    for fold in missing:
        if code := _run(_command(pipeline, fold, folds, "--queue"), pipeline.folder):
            raise InputError(f"DVC cannot queue fold {fold} of {folds} (exit code {code}); mend what is named above.")
    return [pipeline.experiment(fold, folds) for fold in sorted({*missing, *waiting})]


def _waiting(pipeline: Pipeline, folds: int) -> dict[int, str]:
    """Return the state of each fold that DVC's queue holds or runs."""
    states = {e.name: e.state for e in read_experiments(pipeline.folder) if e.state in ("queued", "running")}
    names = {fold: pipeline.experiment(fold, folds) for fold in range(1, folds + 1)}
    return {fold: states[name] for fold, name in names.items() if name in states}


def _refuse_waiting(pipeline: Pipeline, folds: int, waiting: dict[int, str]) -> None:
    for fold, state in waiting.items():
        name = pipeline.experiment(fold, folds)
        is_running = state == "running"
        raise InputError(
            f"the experiment {name} is {state}; "
            f"{'wait until it has ended' if is_running else '`dvc queue start` runs it'}, or remove it with "
            f"`dvc queue {'kill' if is_running else 'remove'} {name}`."
        )


def _command(pipeline: Pipeline, fold: int, folds: int, how: str) -> list[str]:
    changes = [part for change in overrides(pipeline, fold, folds) for part in ("-S", change)]
    name = pipeline.experiment(fold, folds)
    return [sys.executable, "-m", "dvc", "exp", "run", how, "--name", name, *changes]


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
