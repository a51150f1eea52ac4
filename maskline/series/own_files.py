"""The params that an experiment sets: its own, and where the user's own files are."""

import os
from pathlib import Path

from maskline.contracts.own_files import own_files
from maskline.files.committed import is_tracked
from maskline.files.dotted import leaves
from maskline.series.pipeline import Member, Pipeline


def overrides(pipeline: Pipeline, member: Member) -> list[str]:
    """Return what `-S` sets for an experiment: its params, and absolute paths of files that Git and DVC do not track.

    Experiments run in another folder, where a relative path names nothing.
    """
    changes = [f"{key}={value}" for key, value in member.changes.items()]
    for key, value in own_files(dict(leaves(pipeline.params))).items():
        if not os.path.isabs(value):
            path = resolved(pipeline, value)
            if not is_tracked(pipeline.root, path):
                quoted = str(path).replace("'", "\\'")
                changes.append(f"{key}='{quoted}'")
    return changes


def resolved(pipeline: Pipeline, path: str) -> Path:
    """Return the absolute path of a user's file, which starts at the folder of params.yaml."""
    return Path(os.path.abspath(pipeline.folder / path))
