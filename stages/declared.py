"""What dvc.yaml declares for a stage: the params it may read, its code and its outputs."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml

_Section = TypeVar("_Section", bound=BaseModel)
_Value = TypeVar("_Value", int, str)


@dataclass(frozen=True)
class Stage:
    """A running stage.

    Its methods return params that the stage's entry in dvc.yaml declares. They raise InputError for any other param,
    because DVC would not run the stage again when it changes.

    Args:
        name: the stage's name.
        keys: the dotted keys that it declares; the key of a section declares every key in it.
        values: all of params.yaml, checked.
        code: the digest of the code that it declares.
    """

    name: str
    keys: tuple[str, ...]
    values: dict[str, Any]
    code: str

    def section(self, key: str, kind: type[_Section]) -> _Section:
        """Return a section of the params as a `kind`, all of whose fields must be declared."""
        return kind.model_validate(self._fields(key, kind))

    def integer(self, key: str) -> int:
        """Return a whole number."""
        return self._single(key, int)

    def text(self, key: str) -> str:
        """Return a text."""
        return self._single(key, str)

    def declared(self) -> dict[str, Any]:
        """Return all declared values, nested as in params.yaml."""
        nested: dict[str, Any] = {}
        for key in self.keys:
            *sections, last = key.split(".")
            parent = nested
            for section in sections:
                parent = parent.setdefault(section, {})
            parent[last] = _lookup(self.values, key)
        return nested

    def _single(self, key: str, kind: type[_Value]) -> _Value:
        value = self._declared_value(key)
        if not isinstance(value, kind):
            raise TypeError(f"the param {key} is not {kind.__name__}. Received: {value!r}")
        return value

    def _fields(self, key: str, kind: Any) -> Any:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return {name: self._fields(f"{key}.{name}", field.annotation) for name, field in kind.model_fields.items()}
        return self._declared_value(key)

    def _declared_value(self, key: str) -> Any:
        if not any(f"{key}.".startswith(f"{declared}.") for declared in self.keys):
            raise InputError(
                f"stage {self.name} reads the param {key}, which its entry in dvc.yaml does not declare; "
                f"add {key} to the stage's params."
            )
        return _lookup(self.values, key)


def _lookup(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def read_stages(name: str) -> dict[str, dict]:
    """Return all stages of dvc.yaml in the current folder, which must have the named one.

    Raises:
        InputError: the file is missing, is not YAML, or does not have the stage.
    """
    stages = (read_yaml(Path("dvc.yaml")) or {}).get("stages", {})
    if name not in stages:
        raise InputError(
            f"dvc.yaml has no stage {name}; restore it with `git checkout dvc.yaml`. Received: {', '.join(stages)}"
        )
    return stages


def code_digest(entry: dict, repo: str) -> str:
    """Hash the code in a stage's deps: each file's path below the project's root, and its content."""
    digest = hashlib.sha256()
    for dep in entry.get("deps", []):
        if not dep.startswith("${repo}/"):
            continue
        path = Path(dep.replace("${repo}", repo, 1))
        files = sorted(p for p in path.rglob("*") if p.suffix != ".pyc" and p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(os.path.relpath(file, repo).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def outputs(entry: dict) -> tuple[list[str], list[str]]:
    """Return a stage's outputs: folders that DVC caches, and paths that Git tracks, which have options in dvc.yaml."""
    outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
    tracked = [path for out in outs if isinstance(out, dict) for path in out]
    return [out for out in outs if isinstance(out, str)], tracked


def recorded_outputs(name: str) -> set[str]:
    """Return the paths of a stage's outputs in dvc.lock; none if dvc.lock cannot be read."""
    try:
        return {out["path"] for out in read_yaml(Path("dvc.lock"))["stages"][name]["outs"]}
    except (InputError, OSError, KeyError, TypeError):
        return set()


def maker_of(path: Path, stages: dict[str, dict]) -> str | None:
    """Return the stage that writes a file or folder, or None."""
    for name, entry in stages.items():
        folders, tracked = outputs(entry)
        if any(Path(os.path.relpath(path)).is_relative_to(out) for out in (*folders, *tracked)):
            return name
    return None
