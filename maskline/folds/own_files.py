"""The params of a fold's experiment: the fold, and where the user's own files are."""

import os
from pathlib import Path

from maskline.files.dotted import leaves
from maskline.files.git import git
from maskline.folds.pipeline import OWN_FILES, Pipeline


def overrides(pipeline: Pipeline, fold: int, folds: int) -> list[str]:
    """Return what `-S` sets for a fold: it and the absolute paths of files that Git and DVC do not track.

    Experiments run in another folder, where a relative path names nothing.
    """
    changes = [f"dataset.folds={folds}", f"dataset.fold={fold}"]
    params = dict(leaves(pipeline.params))
    for key, words in OWN_FILES.items():
        value = params.get(key)
        if isinstance(value, str) and value not in words and not os.path.isabs(value):
            path = resolved(pipeline, value)
            if not is_tracked(pipeline.root, path):
                quoted = str(path).replace("'", "\\'")
                changes.append(f"{key}='{quoted}'")
    return changes


def resolved(pipeline: Pipeline, path: str) -> Path:
    """Return the absolute path of a user's file, which starts at the folder of params.yaml."""
    return Path(os.path.abspath(pipeline.folder / path))


def is_tracked(root: Path, path: Path) -> bool:
    """Return whether every file at a path comes with a checkout of the repository, by Git or by `dvc add`."""
    if not path.is_relative_to(root):
        return False
    if any(Path(f"{place}.dvc").is_file() for place in (path, *path.parents) if place.is_relative_to(root)):
        return True
    where = os.path.relpath(path, root)
    return bool(git(root, "ls-files", "--", where)) and not git(root, "ls-files", "--others", "--", where)
