"""A committed pipeline, and the experiments of a series that it has."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from maskline.contracts.own_files import OWN_FILES
from maskline.errors import InputError
from maskline.files.committed import committed
from maskline.files.dotted import leaves
from maskline.files.git import git
from maskline.files.yaml12 import parse_yaml


class Pipeline(NamedTuple):
    """A pipeline of Git's HEAD.

    Attributes:
        folder: of its dvc.yaml, as the user names it.
        root: of the Git repository.
        inside: the folder, relative to the root.
        commit: the hash of HEAD.
        params: of HEAD.
    """

    folder: Path
    root: Path
    inside: Path
    commit: str
    params: dict[str, Any]

    def experiment(self, name: str) -> str:
        """Return a name for an experiment; folders have their own, because DVC has one list for all."""
        prefix = re.sub(r"[^A-Za-z0-9]+", "-", self.inside.as_posix()).strip("-")
        return f"{prefix}{'-' if prefix else ''}{name}"


class Member(NamedTuple):
    """An experiment of a series: its name, how a sentence calls it, and the params that it sets, by dotted key."""

    name: str
    title: str
    changes: dict[str, int]


class Series(NamedTuple):
    """Experiments of one pipeline that differ in a param.

    Attributes:
        pipeline: what they run.
        plural: how a sentence calls them together, such as 'folds'; also the command that runs them.
        members: the experiments by number.
    """

    pipeline: Pipeline
    plural: str
    members: dict[int, Member]


def read_pipeline(folder: Path) -> Pipeline:
    """Return the pipeline of `folder` in Git's HEAD.

    Raises:
        InputError: the current folder is not in a Git repository, or HEAD has no pipeline in `folder`.
    """
    names, reason = ("dvc.yaml", "params.yaml"), ", and experiments start from a commit; commit it"
    root, commit, inside = committed(folder, names, reason)
    return Pipeline(folder, root, inside, commit, _params(root, commit, inside))


def finished(series: Series) -> dict[int, str]:
    """Return the commit of each member that has an experiment, which only a run that succeeded leaves.

    Raises:
        InputError: an experiment has the name of a member and other params.
    """
    pipeline = series.pipeline
    place = f"refs/exps/{pipeline.commit[:2]}/{pipeline.commit[2:]}"
    listed = git(pipeline.root, "for-each-ref", "--format=%(objectname) %(refname)", place)
    commits = {line.split("/")[-1]: line.split(" ")[0] for line in listed.splitlines()}
    found = {}
    for number, member in series.members.items():
        if member.name in commits:
            found[number] = commits[member.name]
            _check_params(pipeline, member.name, commits[member.name], member.changes)
    return found


def _check_params(pipeline: Pipeline, name: str, commit: str, own: Mapping[str, Any]) -> None:
    expected = {**dict(leaves(pipeline.params)), **own}
    found = dict(leaves(_params(pipeline.root, commit, pipeline.inside)))
    other = sorted(
        key for key in expected.keys() | found.keys() if key not in OWN_FILES and expected.get(key) != found.get(key)
    )
    if other:
        raise InputError(
            f"the experiment {name} has another {other[0]} than the commit that it started from; remove it with "
            f"`dvc exp remove {name}`. Received: {found.get(other[0])!r}"
        )


def read_committed(pipeline: Pipeline, commit: str, name: str) -> str | None:
    """Return a text file of the pipeline's folder in a commit; None if the commit has no such file."""
    return _shown(pipeline.root, commit, (pipeline.inside / name).as_posix())


def recorded(pipeline: Pipeline, commit: str, kind: Literal["deps", "outs"]) -> dict[str, Any]:
    """Return the hash of each dependency or output of download in a commit's dvc.lock; none if it has no such lock."""
    lock = parse_yaml(read_committed(pipeline, commit, "dvc.lock") or "", pipeline.inside / "dvc.lock")
    try:
        return {entry["path"]: entry.get("md5") for entry in lock["stages"]["download"][kind]}
    except (TypeError, KeyError, AttributeError):
        return {}


def _params(root: Path, commit: str, inside: Path) -> dict[str, Any]:
    path = (inside / "params.yaml").as_posix()
    values = parse_yaml(_shown(root, commit, path) or "", Path(path))
    if not isinstance(values, dict):
        raise InputError(f"{path} of the commit {commit[:7]} must hold a mapping of params. Received: {values!r}")
    return values


def _shown(root: Path, commit: str, path: str) -> str | None:
    if not git(root, "ls-tree", "--name-only", commit, "--", path):
        return None
    return git(root, "show", f"{commit}:{path}")
