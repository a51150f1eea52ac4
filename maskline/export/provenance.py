"""Where an exported file comes from: the Git commit and the dvc.lock of its project."""

import subprocess
from pathlib import Path

from maskline.files.artifacts import sha256


def revision(folder: Path) -> str | None:
    """Return the commit of a folder, with '-dirty' after it if tracked files differ; None without Git or a commit."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def lock_digest(folder: Path) -> str | None:
    """Return the SHA-256 of the dvc.lock in a folder; None without one."""
    path = folder / "dvc.lock"
    return sha256(path) if path.is_file() else None
