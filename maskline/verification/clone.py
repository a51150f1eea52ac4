"""A fresh clone of the committed project, where the pipeline runs without any earlier result."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.errors import InputError
from maskline.files.digests import VARIABLE as CHECKSUMS

_PATIENCE = 20  # seconds in which interrupted stages can save their work
_CONFIG = "[cache]\n    dir = cache\n[core]\n    autostage = true\n"  # autostage: DVC asks for no `git add`


class Committed(NamedTuple):
    """A pipeline of a Git commit: the repository, the commit's hash, and the pipeline's folder inside it."""

    root: Path
    commit: str
    inside: Path


def committed(folder: Path) -> Committed:
    """Return the committed pipeline of `folder`.

    Raises:
        InputError: the folder is not in a Git repository, its result was never committed, or tracked files are changed.
    """
    root = Path(_git(Path.cwd(), "rev-parse", "--show-toplevel"))
    inside = Path(os.path.relpath(folder.resolve(), root.resolve()))
    for name in ("dvc.yaml", "dvc.lock"):
        path = (inside / name).as_posix()
        if ".." in inside.parts or not _git(root, "ls-tree", "--name-only", "HEAD", "--", path):
            raise InputError(
                f"Git's HEAD has no {path}; run the pipeline there and commit, or name another folder with --folder."
            )
    changed = _git(root, "diff", "--name-only", "HEAD").splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise InputError(
            f"{changed[0]}{more} changed since the last commit, but only the committed result is checked; "
            "commit the changes, or set them aside with `git stash`."
        )
    return Committed(root, _git(root, "rev-parse", "HEAD"), inside)


@contextlib.contextmanager
def reproduced(source: Committed) -> Iterator[Path]:
    """Run every stage in a fresh clone with an empty DVC cache of its own, and yield the pipeline's folder there.

    What the stages print goes to stderr. The clone is removed at the end.

    Raises:
        InputError: a stage fails.
    """
    with tempfile.TemporaryDirectory(prefix="maskline-verify-") as temporary:
        clone = Path(temporary) / "clone"
        _git(Path.cwd(), "clone", "--quiet", "--no-checkout", str(source.root), str(clone))
        _git(clone, "checkout", "--quiet", "--detach", source.commit)
        (clone / ".dvc/config.local").write_text(_CONFIG)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = _environment() | {"PATH": path, "TMPDIR": temporary, "DVC_SITE_CACHE_DIR": f"{temporary}/site"}
        code = _run([sys.executable, "-m", "dvc", "repro", "--force", "dvc.yaml"], clone / source.inside, environment)
        if code:
            raise InputError(
                f"`dvc repro` failed with exit code {code} in a fresh clone; fix the error above and commit."
            )
        yield clone / source.inside


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> int:
    """Run a command in its own session and return its exit code; an interrupt ends all its processes."""
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=sys.__stderr__, start_new_session=True
    ) as process:
        try:
            return process.wait()
        except BaseException:
            _stop(process)
            raise


def _stop(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(_PATIENCE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, env=_environment(), capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError("the command git was not found; install Git and try again.") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"`git {arguments[0]}` failed in {folder} ({reason}); fix that and try again.")
    return done.stdout.rstrip("\n")


def _environment() -> dict[str, str]:
    """Return the environment without what a Git hook or a DVC stage sets for its own repository.

    Nor does it have the choice to trust files that were read before: a verification reads every byte.
    """
    own = ("GIT_DIR", "GIT_INDEX", "DVC_", CHECKSUMS)
    return {key: value for key, value in os.environ.items() if not key.startswith(own)}
