"""The params of a fold's experiment: the fold, and where the user's own files are."""

import os
from pathlib import Path

from maskline.files.committed import is_tracked
from maskline.files.dotted import leaves
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
