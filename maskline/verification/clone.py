"""A fresh clone of the committed project, where the pipeline runs without any earlier result."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskline.errors import InputError
from maskline.files.committed import Committed, committed, refuse_changes
from maskline.files.digests import VARIABLE as CHECKSUMS
from maskline.files.git import environment, git

_PATIENCE = 20  # seconds in which interrupted stages can save their work
_CONFIG = "[cache]\n    dir = cache\n[core]\n    autostage = true\n"  # autostage: DVC asks for no `git add`
_DVC = (sys.executable, "-m", "dvc")


def committed_result(folder: Path) -> Committed:
    """Return the committed pipeline of `folder`.

    Raises:
        InputError: the current folder is not in a Git repository, the result was never committed, or tracked files are
            changed.
    """
    source = committed(folder, ("dvc.yaml", "dvc.lock"), "; run the pipeline there and commit")
    refuse_changes(source.root, "but only the committed result is checked")
    return source


@contextlib.contextmanager
def reproduced(source: Committed) -> Iterator[Path]:
    """Run every stage in a fresh clone with a DVC cache of its own, and yield the pipeline's folder there.

    The cache is empty but for what `dvc add` tracks, such as the user's images. What the stages print goes to stderr.
    The clone is removed at the end.

    Raises:
        InputError: a stage fails, or DVC does not work in the source.
    """
    with tempfile.TemporaryDirectory(prefix="maskline-verify-") as temporary:
        clone = Path(temporary) / "clone"
        git(Path.cwd(), "clone", "--quiet", "--no-checkout", str(source.root), str(clone))
        git(clone, "checkout", "--quiet", "--detach", source.commit)
        (clone / ".dvc/config.local").write_text(_CONFIG)
        own = environment() | {"TMPDIR": temporary, "DVC_SITE_CACHE_DIR": f"{temporary}/site", CHECKSUMS: "always"}
        _fetch_added(source.root, clone, own)
        code = _run([*_DVC, "repro", "--force", "dvc.yaml"], clone / source.inside, own)
        if code:
            raise InputError(
                f"`dvc repro` failed with exit code {code} in a fresh clone; fix the error above and commit."
            )
        yield clone / source.inside


def _fetch_added(root: Path, clone: Path, variables: dict[str, str]) -> None:
    """Fetch the files that `dvc add` tracks from the source's cache; a stage that reads one that is missing says so.

    Raises:
        InputError: DVC does not work in the source.
    """
    added = git(clone, "ls-files", "--", "*.dvc").splitlines()
    if not added:
        return
    found = subprocess.run([*_DVC, "cache", "dir"], cwd=root, env=variables, stdout=subprocess.PIPE, text=True)
    if found.returncode:
        raise InputError(f"`dvc cache dir` failed in {root}; fix the error above and try again.")
    link = clone.with_name("source")  # DVC writes no path beyond ASCII into its configuration under every locale
    link.symlink_to(found.stdout.strip())
    _run([*_DVC, "remote", "add", "--quiet", "--local", "source", str(link)], clone, variables)
    _run([*_DVC, "pull", "--quiet", "--allow-missing", "--remote", "source", *added], clone, variables)


def _run(command: Sequence[str], folder: Path, variables: dict[str, str]) -> int:
    """Run a command in its own session and return its exit code; an interrupt ends all its processes."""
    with subprocess.Popen(command, cwd=folder, env=variables, stdout=sys.__stderr__, start_new_session=True) as process:
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
