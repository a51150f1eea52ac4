"""Prepared TFDS data sets that others made: found by name, and checked before TFDS reads them.

TFDS imports the modules that features.json names, and opens the paths that dataset_info.json gives.
"""

import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from maskline.datasets.regular import read_small, require_regular
from maskline.errors import InputError
from maskline.messages import one_line

_AGAIN = "prepare the data set again"
_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")


def find_prepared(place: Path, name: str, version: str | None) -> Path | None:
    """Return the folder of a prepared TFDS data set at `place`, `place/<version>` or `place/<name>/<version>`.

    A name may carry '/config' and ':version'; without a version, the highest is taken.

    Raises:
        InputError: a dataset_info.json there is damaged.
    """
    name, _, wanted = name.partition(":")
    version = version or wanted or None
    stem, _, config = name.partition("/")
    found = []
    for folder in (place, *place.glob("*.*.*"), *(place / stem / config).glob("*.*.*")):
        info = _info(folder)
        if info.get("name") == stem and version in (None, info.get("version")):
            found.append((tuple(map(int, info["version"].split("."))), folder))
    return max(found)[1] if found else None


def read_prepared(folder: Path) -> tfds.core.DatasetBuilder:
    """Return a builder that reads a prepared TFDS data set.

    Raises:
        InputError: the folder holds links that lead out, features that are not TFDS's own, another format than
            TFRecord, or anything that TFDS cannot read.
    """
    _check_files(folder)
    _check_features(folder / "features.json")
    try:
        builder = tfds.builder_from_directory(folder)
        info, form = builder.info, builder.info.file_format
        paths = [Path(path) for split in info.splits.values() for path in split.filepaths]
    except Exception as error:  # what TFDS and protobuf raise for damaged metadata has no common type
        raise InputError(f"{folder} cannot be read by TFDS ({one_line(error)}); {_AGAIN}.") from None
    if form != tfds.core.FileFormat.TFRECORD:
        raise InputError(f"{folder} holds {form.value if form else 'unknown'} files; {_AGAIN}, as tfrecord.")
    if not isinstance(info.features, tfds.features.FeaturesDict):
        raise InputError(f"{folder / 'features.json'} does not name the features of an example; {_AGAIN}.")
    for path in paths:
        if Path(os.path.normpath(path)).parent != Path(os.path.normpath(info.data_dir)):
            raise InputError(f"{folder / 'dataset_info.json'} names the file {str(path)!r} elsewhere; {_AGAIN}.")
    return builder


def _info(folder: Path) -> dict[str, Any]:
    """Return the content of dataset_info.json with a name and a version, or an empty dict where there is none."""
    path = folder / "dataset_info.json"
    try:
        info = _json(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if not isinstance(info, dict):
        raise InputError(f"{path} is damaged (it is not an object); {_AGAIN}.")
    for key, pattern in (("name", re.compile(r"\w+")), ("version", _VERSION)):
        value = info.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise InputError(f"{path} is damaged ({key} is {str(value)[:80]!r}); {_AGAIN}.")
    return info


def _json(path: Path) -> Any:
    try:
        return json.loads(read_small(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({one_line(error, None)}); {_AGAIN}.") from None


def _check_files(folder: Path) -> None:
    """Refuse files that are links out of the folder, which would be copied into the outputs, and pipes and devices."""
    home = os.path.realpath(folder)
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(home):
            raise InputError(f"{path} is a link that leads out of its folder; replace it by the file.")
        if not path.is_dir():
            require_regular(path)


def _check_features(path: Path) -> None:
    """Refuse a features.json that names a class outside TFDS."""
    try:
        features = _json(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {_AGAIN}.") from None
    modules = {cls.__module__ for _, cls in inspect.getmembers(tfds.features, inspect.isclass)}
    try:
        names = list(_class_names(features))
    except RecursionError:
        raise InputError(f"{path} is damaged (it is nested too deep); {_AGAIN}.") from None
    for name in names:
        module = name.rpartition(".")[0]
        if module not in modules or not module.startswith("tensorflow_datasets."):
            raise InputError(f"{path} names the feature {name[:80]!r}, which is not one of TFDS's own; {_AGAIN}.")


def _class_names(value: Any) -> Iterator[str]:
    """Yield every name of a class in the JSON of features, which may hold JSON in strings."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key in _CLASS_KEYS and isinstance(part, str):
                yield part
            else:
                yield from _class_names(part)
    elif isinstance(value, list):
        for part in value:
            yield from _class_names(part)
    elif isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return
        yield from _class_names(inner)
