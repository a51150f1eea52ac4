"""The hash of a file or folder that a stage depends on, as DVC has it or computes it now."""

from pathlib import Path

from maskline.comparison.repository import dvc_errors


def present_hash(folder: Path, stage: str, path: str) -> str | None:
    """Return the MD5 of a dependency as it is on disk; DVC hashes only files that it has not seen before.

    Args:
        folder: the folder of a dvc.yaml, such as '.' or 'ci'.
        stage: the name of a stage there.
        path: of the dependency, as params.yaml has it.

    Returns:
        The hash; None if the stage has no such dependency or it is missing.

    Raises:
        InputError: DVC cannot read the pipeline.
    """
    from dvc.repo import Repo

    with dvc_errors(path), Repo() as repo:
        (found,) = repo.stage.collect(f"{(folder / 'dvc.yaml').as_posix()}:{stage}")
        for dependency in found.deps:
            if dependency.def_path == path and dependency.exists:
                value = dependency.get_hash().value
                return None if value is None else str(value)
    return None
