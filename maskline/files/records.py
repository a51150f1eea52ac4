"""JSON files between stages: pydantic models written and read, with one sentence for what is wrong."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from maskline.errors import ArtifactError
from maskline.files.artifacts import write_bytes

_Record = TypeVar("_Record", bound=BaseModel)


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as indented JSON."""
    write_bytes(path, (record.model_dump_json(indent=2) + "\n").encode())


def read_record(path: Path, kind: type[_Record]) -> _Record:
    """Read a record.

    Raises:
        ArtifactError: the file is missing, or does not hold a record of this kind.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(path, "is missing") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        raise ArtifactError(path, f"is damaged at {place}: {reason}") from None
