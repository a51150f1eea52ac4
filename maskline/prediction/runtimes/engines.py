"""The optional packages that run exported files."""

import importlib
from pathlib import Path
from types import ModuleType

from maskline.errors import InputError

REMEDY = "install the packages for exported files with `pip install --require-hashes -r requirements-export.txt`"


def load_engine(name: str, path: Path) -> ModuleType:
    """Import an optional package.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"{path} needs the package {name.partition('.')[0]}, which is missing; {REMEDY}.") from None
