"""The check that the user's images are still those of the finished experiments of a series."""

from typing import Any

from maskline.comparison.dependencies import present_hash
from maskline.contracts.own_files import own_files
from maskline.errors import InputError
from maskline.files.committed import is_tracked
from maskline.files.dotted import leaves
from maskline.series.own_files import resolved
from maskline.series.pipeline import Pipeline, Series, recorded


def refuse_changed_files(series: Series, commits: dict[int, str]) -> None:
    """Refuse finished experiments if the user's files have changed since; those of Git or DVC are the commit's.

    Raises:
        InputError: a file or folder has another content than the experiments record.
    """
    pipeline = series.pipeline
    for key, path in own_files(dict(leaves(pipeline.params))).items():
        if not commits or is_tracked(pipeline.root, resolved(pipeline, path)):
            continue
        now = present_hash(pipeline.folder, "download", path)
        for number, commit in commits.items():
            if now is not None and _recorded(pipeline, commit, path) not in (None, now):
                names = " ".join(series.members[number].name for number in commits)
                raise InputError(
                    f"{path} in {key} has changed since {series.members[number].name} ran; remove the finished "
                    f"{series.plural} with `dvc exp remove {names}` and run the command again."
                )


def _recorded(pipeline: Pipeline, commit: str, path: str) -> Any:
    """Return the hash of a file or folder in the dvc.lock of an experiment, which may have its absolute path."""
    deps = recorded(pipeline, commit, "deps")
    return deps.get(path, deps.get(str(resolved(pipeline, path))))
