"""JSON files between stages, written from and read as pydantic models with one sentence for what is wrong."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from maskline.errors import InputError
from maskline.files.artifacts import write_bytes

_Record = TypeVar("_Record", bound=BaseModel)


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as indented JSON."""
    write_bytes(path, (record.model_dump_json(indent=2) + "\n").encode())


def read_record(path: Path, kind: type[_Record], stage: str) -> _Record:
    """Read a file that `stage` writes.

    Raises:
        InputError: the file is missing, or not what the stage writes.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro {stage}`.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path} is damaged at {place}: {reason}; run `dvc repro --force {stage}`.") from None
