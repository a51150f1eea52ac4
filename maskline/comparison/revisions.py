"""The counts and params of a Git revision, read through DVC from its cache or its remote without a checkout."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from maskline.comparison.compare import Result
from maskline.comparison.repository import dvc_errors, inside
from maskline.contracts.about import PATH as ABOUT
from maskline.contracts.about import About
from maskline.contracts.counts import PATH as COUNTS
from maskline.contracts.counts import read_matrices
from maskline.contracts.folders import EVALUATION
from maskline.errors import InputError
from maskline.files.checksums import NAME as SUMS
from maskline.files.checksums import parse_sums
from maskline.files.dotted import leaves
from maskline.files.records import first_problem
from maskline.files.yaml12 import parse_yaml

if TYPE_CHECKING:  # importing it takes half a second
    from dvc.repo import Repo

WORKSPACE = "workspace"  # what DVC calls the files that are not committed
LOCK = "dvc.lock"


class _Place(NamedTuple):
    """A pipeline's folder in a revision.

    Attributes:
        folder: as the user names it.
        inside: as DVC names it, from the repository's root.
        revision: as the user names it.
    """

    folder: Path
    inside: str
    revision: str

    def __str__(self) -> str:
        return f"{self.revision}: {(self.folder / EVALUATION).as_posix()}"


class Run(NamedTuple):
    """A result, and the params by dotted key that dvc.lock records with it."""

    result: Result
    params: dict[str, Any]


def read_result(revision: str, folder: Path) -> Result:
    """Read the confusion matrix of each test image.

    Args:
        revision: a branch, tag, commit or DVC experiment, or `WORKSPACE`.
        folder: the folder of a dvc.yaml, such as '.' or 'ci'.

    Raises:
        InputError: there is no such revision, pipeline or result, or neither the cache nor the remote holds it.
    """
    return _read_run(revision, folder)[0]


def read_run(revision: str, folder: Path) -> Run:
    """Read the confusion matrices as `read_result` does, and the params of all stages.

    Raises:
        InputError: as for `read_result`.
    """
    result, lock = _read_run(revision, folder)
    stages = (parse_yaml(lock.decode(), folder / LOCK) or {}).get("stages", {}).values()
    params = [dict(leaves(stage.get("params", {}).get("params.yaml", {}))) for stage in stages]
    return Run(result, {key: value for of_stage in params for key, value in of_stage.items()})


def _read_run(revision: str, folder: Path) -> tuple[Result, bytes]:
    """Return the result and the content of dvc.lock."""
    from dvc.scm import RevError

    with dvc_errors(revision), _repository() as repo:
        place = _Place(folder, (Path("/") / inside(repo.root_dir, folder)).as_posix(), revision)
        try:
            with repo.switch(revision) as commit:
                counts, about, sums = (_read(repo, place, name) for name in (COUNTS.name, ABOUT.name, SUMS))
                path = f"{place.inside}/{LOCK}"
                lock = repo.dvcfs.read_bytes(path) if repo.dvcfs.exists(path) else b""
        except RevError:
            raise InputError(f"Git has no revision {revision}; `git branch --all` lists the branches.") from None
    _check({COUNTS.name: counts, ABOUT.name: about}, sums, place)
    return _parse(counts, about, place, _name(revision, commit)), lock


def _name(revision: str, commit: str) -> str:
    if revision == WORKSPACE:
        return revision
    return commit[:7] if commit.startswith(revision) else f"{revision} ({commit[:7]})"


@contextmanager
def _repository() -> Iterator["Repo"]:
    """Yield the DVC repository with the workspace's cache and remotes, even if an older revision had others."""
    from dvc.repo import Repo

    with Repo() as repo:
        config = {section: repo.config[section] for section in ("core", "cache", "remote")}
    with Repo(repo.root_dir, config=config) as repo:
        yield repo


def _read(repo: "Repo", place: _Place, name: str) -> bytes:
    from dvc_data.index import DataIndexDirError

    try:
        with repo.dvcfs.open(f"{place.inside}/{EVALUATION.as_posix()}/{name}", "rb") as file:
            return file.read()
    except (OSError, DataIndexDirError) as error:
        raise InputError(_why_missing(repo, place, name, error)) from error


def _why_missing(repo: "Repo", place: _Place, name: str, error: Exception) -> str:
    """Return a sentence on what is missing and how to get it."""
    pipeline = (place.folder / "dvc.yaml").as_posix()
    if not repo.dvcfs.exists(f"{place.inside}/dvc.yaml"):
        return f"{place.revision} has no {pipeline}; name the folder of a pipeline with --folder."
    there = "" if place.revision == WORKSPACE else f"`git switch --detach {place.revision}`, then "
    again = f"`dvc repro {pipeline}:evaluate`"
    if not _recorded(repo, place):
        return f"{place} is not in dvc.lock; run {there}{again}, commit, and compare that commit."
    if _lacks(repo, place, name):
        return (
            f"{place} has no {name}, because older code wrote it; "
            f"run {again} with newer code, commit, and compare that commit."
        )
    cause = error.__cause__ or error
    reason = "" if isinstance(cause, FileNotFoundError) else f" ({cause})"
    remote = repo.config["core"].get("remote")
    where = f"nor in the remote {remote}" if remote else "and no default remote is set"
    pull = f"`dvc pull {(place.folder / EVALUATION).as_posix()}`"
    return f"{place} is not in DVC's cache {where}{reason}; get it with {there}{pull} or {again}."


def _recorded(repo: "Repo", place: _Place) -> bool:
    """Return whether dvc.lock holds a hash of the output."""
    output = Path(place.inside, EVALUATION).parts[1:]
    outs = (out for out in repo.index.outs if repo.fs.relparts(out.fs_path, repo.root_dir) == output)
    return any(out.hash_info for out in outs)


def _lacks(repo: "Repo", place: _Place, name: str) -> bool:
    """Return whether the output can be listed and has no such file."""
    from dvc_data.index import DataIndexDirError

    try:
        listed = repo.dvcfs.ls(f"{place.inside}/{EVALUATION.as_posix()}", detail=False)
    except (OSError, DataIndexDirError):
        return False
    return name not in {Path(path).name for path in listed}


def _check(files: dict[str, bytes], sums: bytes, place: _Place) -> None:
    try:
        recorded = parse_sums(sums)
    except ValueError as error:
        raise _damaged(place, f"in {SUMS}, {error}") from None
    for name, data in files.items():
        if recorded.get(name) != hashlib.sha256(data).hexdigest():
            raise _damaged(place, f"{name} is not the file that {SUMS} records")


def _parse(counts: bytes, about_json: bytes, place: _Place, name: str) -> Result:
    try:
        about = About.model_validate_json(about_json)
        filenames, matrices = read_matrices(io.BytesIO(counts), len(about.classes))
    except ValidationError as error:
        raise _damaged(place, f"in {ABOUT.name}, {first_problem(error)}") from None
    except ValueError as error:
        raise _damaged(place, f"in {COUNTS.name}, {error}") from None
    return Result(name, filenames, matrices, about.classes, about.test_split, about.resolution)


def _damaged(place: _Place, reason: str) -> InputError:
    return InputError(f"{place} is damaged: {reason}; run `dvc repro --force evaluate` there.")
