"""Git, as a command whose errors are sentences."""

import os
import subprocess
import sys
from pathlib import Path

from maskline.errors import InputError


def git(folder: Path, *arguments: str) -> str:
    """Run Git in a folder and return what it prints, without the last line's end.

    Raises:
        InputError: there is no Git, or it fails.
    """
    command = ["git", "-c", "core.quotePath=false", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True)
    except FileNotFoundError:
        raise InputError("the command git was not found; install Git and try again.") from None
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"`git {arguments[0]}` failed in {folder} ({reason}); fix that and try again.")
    return done.stdout.decode(errors="surrogateescape").rstrip("\n")  # a file name may hold a carriage return


def environment() -> dict[str, str]:
    """Return the environment for Git and DVC: this Python's programs come first.

    The variables that a Git hook or a DVC stage sets for its own repository are left out.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_DIR", "GIT_INDEX", "DVC_"))}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
