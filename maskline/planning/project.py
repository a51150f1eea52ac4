"""A project: a folder with a pipeline of its own, as ci/ is, that keeps the user's params apart from the library's."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from maskline.contracts.figures import BASELINE
from maskline.contracts.own_files import own_files
from maskline.errors import InputError
from maskline.files.artifacts import new_directory, write_bytes
from maskline.files.committed import is_tracked
from maskline.files.dotted import leaves
from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params
from maskline.planning.params_text import with_keys_of, with_values, written
from maskline.planning.plan import Plan

_COPIED = ("dvc.yaml", "none", "imagenet")
_PARAMS = "params.yaml"
_HEAD = "# Every param of this project. Change one and run `dvc repro` here, or run `dvc exp run -S train.epochs=40`.\n"


def project_root() -> Path:
    """Return the folder of maskline's own pipeline: the current folder or the nearest above it.

    Raises:
        InputError: there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / name).exists() for name in ("dvc.yaml", _PARAMS, "stages/entry.py")):
            return folder
    raise InputError(f"{here} is not in a copy of maskline's repository; run the command in the root of one.")


def check_new(folder: Path, root: Path) -> None:
    """Check that a project can be written to a folder.

    Raises:
        InputError: the folder is not inside the root, is a file, or holds something.
    """
    place = Path(os.path.abspath(folder))
    if root not in place.parents:
        raise InputError(f"a project must be a folder inside {root}, such as projects/mine. Received: {folder}")
    if (folder / _PARAMS).exists():
        raise InputError(
            f"{folder} holds a project, which plan does not write over; name another folder with --write, or bring "
            f"that project up to date with `maskline plan --update {folder}`."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not an empty folder; name another one with --write.")


def write_project(folder: Path, root: Path, values: Mapping[str, Any]) -> None:
    """Write a project whole or not at all.

    Args:
        folder: the new folder, inside the root.
        root: of the repository; its dvc.yaml and params.yaml are the pattern.
        values: params that differ from the root's, by dotted key; `repo` is set here.

    Raises:
        InputError: the folder cannot be used, or the params are not valid.
    """
    check_new(folder, root)
    text = _params_text(root)
    repo = Path(os.path.relpath(root, os.path.abspath(folder))).as_posix()
    text = with_values(text, {**values, "repo": repo})
    with new_directory(folder) as partial:
        (partial / _PARAMS).write_text(text, encoding="utf-8")
        check_params(read_yaml(partial / _PARAMS), folder / _PARAMS)
        for name in _COPIED:
            (partial / name).write_bytes((root / name).read_bytes())
        (partial / BASELINE).write_text("{}\n")


def placed(plan: Plan, folder: Path, root: Path) -> Plan:
    """Return a plan whose params name the user's files as a project's params must; see `path_for`."""
    files = own_files({change.key: change.value for change in plan.changes})
    paths = {key: path_for(Path(path), folder, root) for key, path in files.items()}
    return plan._replace(
        changes=[change._replace(value=paths.get(change.key, change.value)) for change in plan.changes]
    )


def update_project(folder: Path, root: Path) -> list[str]:
    """Bring a project up to date with the root: its dvc.yaml, and the keys of its params.

    New keys get the root's value and comments. All other lines of params.yaml stay, except those of keys that are gone.
    A recipe that nobody has run yet gets its dvc.yaml here.

    Returns:
        What changed, a line each; none if the project is up to date.

    Raises:
        InputError: the folder is no project, or its params are not valid; then nothing is changed.
    """
    params = folder / _PARAMS
    if folder.resolve() == root.resolve() or not _is_project(folder):
        raise InputError(f"{folder} is not a project; name a recipe or a folder that `maskline plan --write` made.")
    before = read_yaml(params)
    text = params.read_text(encoding="utf-8")
    updated, new, gone = with_keys_of(text, _params_text(root))
    old, defaults = dict(leaves(before)), dict(leaves(read_yaml(root / _PARAMS)))
    done = [f"{params}: {key} is new; its value is {written(defaults[key])}" for key in new if key in defaults]
    done += [f"{params}: {key} no longer exists; its value was {written(old[key])}" for key in gone if key in old]
    contents = {name: (root / name).read_bytes() for name in _COPIED}
    changed = [name for name in _COPIED if not _holds(folder / name, contents[name])]
    done += [f"{path}: {_change(path)}" for path in (folder / name for name in changed)]
    _check(updated, before, params)
    if updated != text:
        write_bytes(params, updated.encode())
    for name in changed:
        write_bytes(folder / name, contents[name])
    if not (folder / BASELINE).exists():
        write_bytes(folder / BASELINE, b"{}\n")
    return done


def path_for(path: Path, folder: Path, root: Path) -> str:
    """Return how a project's params name a user's folder or file.

    Where Git or DVC tracks it, the path is relative to the project, so that it is right in every clone. Any other is
    absolute, because DVC runs queued experiments, and `maskline verify` runs the pipeline, in another folder.
    """
    place = os.path.abspath(path)
    if is_tracked(root, Path(place)):
        return Path(os.path.relpath(place, os.path.abspath(folder))).as_posix()
    return place


def _is_project(folder: Path) -> bool:
    return (folder / _PARAMS).exists() and any((folder / name).exists() for name in ("dvc.yaml", BASELINE))


def _params_text(root: Path) -> str:
    """Return the root's params.yaml with a first line that is right in a project."""
    return _HEAD + (root / _PARAMS).read_text(encoding="utf-8").partition("\n")[2]


def _check(text: str, before: Mapping[str, Any], path: Path) -> None:
    """Check params before they replace others: they are valid, and no value of a key that stays is another."""
    values = YAML(typ="safe").load(text)
    check_params(values, path)
    kept, old = dict(leaves(values)), dict(leaves(before))
    if other := [key for key in old if key in kept and kept[key] != old[key]]:
        raise InputError(f"{path} cannot be brought up to date at {other[0]}; put its keys in the order of the root's.")


def _change(path: Path) -> str:
    return "replaced by this version's" if path.exists() else "is new"


def _holds(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content
