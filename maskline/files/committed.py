"""What comes with a checkout: the files of a pipeline's folder in Git's HEAD, and those that Git or DVC tracks."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from maskline.errors import InputError
from maskline.files.git import git


class Committed(NamedTuple):
    """A folder of Git's HEAD: the root of the repository, the commit's hash, and the folder relative to the root."""

    root: Path
    commit: str
    inside: Path


def committed(folder: Path, names: Iterable[str], reason: str) -> Committed:
    """Return a folder of Git's HEAD.

    Args:
        folder: of the repository that the current folder is in.
        names: files that the folder must have in HEAD.
        reason: what a sentence on a lacking file says between its name and ", or name another folder".

    Raises:
        InputError: the current folder is not in a Git repository, or HEAD lacks a file.
    """
    root = Path(git(Path.cwd(), "rev-parse", "--show-toplevel"))
    inside = Path(os.path.relpath(folder.resolve(), root.resolve()))
    for name in names:
        path = (inside / name).as_posix()
        if ".." in inside.parts or not git(root, "ls-tree", "--name-only", "HEAD", "--", path):
            raise InputError(f"Git's HEAD has no {path}{reason}, or name another folder with --folder.")
    return Committed(root, git(root, "rev-parse", "HEAD"), inside)


def refuse_changes(root: Path, reason: str) -> None:
    """Refuse tracked files that are not as they are in HEAD.

    Args:
        root: of the repository.
        reason: the part of the sentence that says why they are refused.

    Raises:
        InputError: a file is changed.
    """
    changed = git(root, "diff", "--name-only", "HEAD").splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise InputError(
            f"{changed[0]}{more} changed since the last commit, {reason}; "
            "commit the changes, or set them aside with `git stash`."
        )


def is_tracked(root: Path, path: Path) -> bool:
    """Return whether every file at a path comes with a checkout of the repository, by Git or by `dvc add`.

    Args:
        root: of the repository; a folder that is in none has no tracked files.
        path: absolute.
    """
    if not path.is_relative_to(root):
        return False
    if any(Path(f"{place}.dvc").is_file() for place in (path, *path.parents) if place.is_relative_to(root)):
        return True
    where = os.path.relpath(path, root)
    try:
        return bool(git(root, "ls-files", "--", where)) and not git(root, "ls-files", "--others", "--", where)
    except InputError:
        return False
