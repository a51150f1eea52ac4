"""Files of the earlier stages as records, or one sentence on what is wrong with them."""

import csv
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from maskline.errors import InputError

_Record = TypeVar("_Record", bound=BaseModel)


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        InputError: the file is missing.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} is missing; run `dvc repro` to make it.") from None


def damaged(path: Path, reason: object) -> InputError:
    """Return the error for a file that is not what its stage writes."""
    return InputError(f"{path} is damaged: {' '.join(str(reason).split())}; run `dvc repro` to make it anew.")


def read_json(path: Path, kind: type[_Record]) -> _Record:
    """Read one JSON record.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        return kind.model_validate_json(read_bytes(path))
    except ValidationError as error:
        raise damaged(path, first_reason(error)) from None


def read_table(path: Path, kind: type[_Record]) -> list[_Record]:
    """Read a CSV file of at least one record a row.

    Raises:
        InputError: the file is missing, damaged or empty.
    """
    try:
        rows: list[Any] = list(csv.DictReader(read_bytes(path).decode().splitlines()))
        table = [kind.model_validate(row) for row in rows]
    except UnicodeDecodeError as error:
        raise damaged(path, error) from None
    except ValidationError as error:
        raise damaged(path, first_reason(error)) from None
    if not table:
        raise damaged(path, "it holds no row")
    return table


def first_reason(error: ValidationError) -> str:
    """Return the place and the reason of the first thing wrong."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    reason = first["msg"].removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason
