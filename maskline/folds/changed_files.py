"""The check that the user's images are still those of the finished folds."""

from typing import Any

from maskline.comparison.dependencies import present_hash
from maskline.errors import InputError
from maskline.files.committed import is_tracked
from maskline.files.dotted import leaves
from maskline.folds.own_files import resolved
from maskline.folds.pipeline import OWN_FILES, Pipeline, recorded


def refuse_changed_files(pipeline: Pipeline, folds: int, commits: dict[int, str]) -> None:
    """Refuse finished folds if the user's files have changed since; those in Git or `dvc add`ed belong to the commit.

    Raises:
        InputError: a file or folder has another content than the experiments record.
    """
    params = dict(leaves(pipeline.params))
    own = {key: params[key] for key, words in OWN_FILES.items() if params.get(key) not in (None, *words)}
    for key, path in own.items():
        if not commits or is_tracked(pipeline.root, resolved(pipeline, path)):
            continue
        now = present_hash(pipeline.folder, "download", path)
        for fold, commit in commits.items():
            if now is not None and _recorded(pipeline, commit, path) not in (None, now):
                names = " ".join(pipeline.experiment(number, folds) for number in commits)
                raise InputError(
                    f"{path} in {key} has changed since {pipeline.experiment(fold, folds)} ran; remove the finished "
                    f"folds with `dvc exp remove {names}` and run the command again."
                )


def _recorded(pipeline: Pipeline, commit: str, path: str) -> Any:
    """Return the hash of a file or folder in the dvc.lock of an experiment, which may have its absolute path."""
    deps = recorded(pipeline, commit, "deps")
    return deps.get(path, deps.get(str(resolved(pipeline, path))))
