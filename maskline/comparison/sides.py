"""The runs of one side of a comparison, which differ in the seed alone."""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from maskline.comparison.revisions import Run, read_run
from maskline.contracts.own_files import OWN_FILES
from maskline.errors import InputError
from maskline.files.git import git

_PLACES = ("refs/heads", "refs/tags", "refs/exps")


def read_side(revisions: Sequence[str], folder: Path) -> dict[int, Run]:
    """Read the runs of one side.

    Args:
        revisions: branches, tags, commits or DVC experiments, the workspace, or patterns of their names such as
            '9be6ecf-seed-*'.
        folder: the folder of a dvc.yaml, such as '.' or 'ci'.

    Returns:
        The runs by seed, in the order of the revisions.

    Raises:
        InputError: a run cannot be read, two have the same seed, or another param differs.
    """
    found: dict[int, Run] = {}
    for run in _runs(revisions, folder):
        seed = _seed(run)
        if seed in found:
            raise InputError(
                f"{found[seed].result.name} and {run.result.name} have the same seed, {seed}, and the runs of a side "
                "must differ in it; leave one out."
            )
        found[seed] = run
    first, *others = found.values()
    for other in others:
        _refuse_other_params(first, other, folder)
    return found


def refuse_shared(a: dict[int, Run], b: dict[int, Run]) -> None:
    """Refuse a run that is on both sides.

    Raises:
        InputError: there is one.
    """
    shared = {run.result.name for run in a.values()} & {run.result.name for run in b.values()}
    if shared:
        raise InputError(f"{min(shared)} is on both sides; compare it with runs of other params.")


def _runs(revisions: Sequence[str], folder: Path) -> Iterator[Run]:
    for revision in revisions:
        if not re.search(r"[*?[]", revision):  # which no name in Git has
            yield read_run(revision, folder)
            continue
        for name, commit in _matching(revision):
            run = read_run(commit, folder)
            yield run._replace(result=run.result._replace(name=f"{name} ({commit[:7]})"))


def _matching(pattern: str) -> list[tuple[str, str]]:
    """Return the names that match, numbers in them in order, with their commits."""
    listed = git(Path.cwd(), "for-each-ref", "--format=%(objectname) %(refname)", *_PLACES).splitlines()
    places = re.compile(r"refs/(?:heads|tags|exps/[0-9a-f]{2}/[0-9a-f]{38})/(.+)")
    named = [(match[1], line.split(" ")[0]) for line in listed if (match := places.fullmatch(line.split(" ", 1)[1]))]
    found = [(name, commit) for name, commit in named if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        raise InputError(f"no branch, tag or experiment matches {pattern}; `maskline experiments` lists experiments.")
    return sorted(found, key=lambda named: [int(part) if part.isdecimal() else part for part in _parts(named[0])])


def _parts(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def _seed(run: Run) -> int:
    try:
        return int(run.params["seed"])
    except KeyError:
        raise InputError(
            f"{run.result.name} has no seed in its dvc.lock; run `dvc repro` there, commit, and compare that commit."
        ) from None


def _refuse_other_params(first: Run, other: Run, folder: Path) -> None:
    before, after = (_comparable(run.params, folder) for run in (first, other))
    for key in sorted(before.keys() | after.keys()):
        if key != "seed" and before.get(key) != after.get(key):
            raise InputError(
                f"{first.result.name} and {other.result.name} differ in {key}, and the runs of a side may differ in "
                f"seed alone; put them on different sides. Received: {before.get(key)!r} and {after.get(key)!r}"
            )


def _comparable(params: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the params with the user's own files as absolute paths, as queued experiments have them."""
    own = {key: os.path.abspath(folder / params[key]) for key in OWN_FILES if isinstance(params.get(key), str)}
    return params | own
