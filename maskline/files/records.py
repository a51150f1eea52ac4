"""Typed records in JSON files, tables of records in CSV files, and one form of error for damaged ones."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from maskline.errors import ArtifactError
from maskline.files.artifacts import json_bytes, write_bytes


class Record(BaseModel):
    """A record that cannot be changed; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


_Record = TypeVar("_Record", bound=BaseModel)


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as indented JSON, its fields in their order."""
    write_bytes(path, json_bytes(record.model_dump(mode="json", by_alias=True)))


def read_record(path: Path, kind: type[_Record]) -> _Record:
    """Read a record from a JSON file.

    Raises:
        ArtifactError: the file is missing or is not such a record.
    """
    try:
        return kind.model_validate_json(read_bytes(path))
    except ValidationError as error:
        raise ArtifactError(path, f"is damaged at {first_problem(error)}") from None


def write_table(path: Path, rows: Sequence[BaseModel], kind: type[BaseModel] | None = None) -> None:
    """Write records of one kind as CSV with Unix line endings; None and NaN become empty cells.

    Without rows, `kind` gives the names of the columns.
    """
    columns = list(rows[0].model_dump(by_alias=True)) if rows else list(kind.model_fields) if kind else []
    cells = [[_cell(value) for value in row.model_dump(by_alias=True).values()] for row in rows]
    write_cells(path, columns, cells)


def write_cells(path: Path, columns: list[str], cells: list[list[Any]]) -> None:
    """Write a CSV file with Unix line endings from the cells of its rows; None becomes an empty cell."""
    import pandas as pd  # not at the top, because a stage that only reads tables starts faster without it

    table = pd.DataFrame(cells, columns=columns, dtype=object)
    # Python's writer leaves a carriage return without quotes, and readers take it for the end of a line.
    returns = any(isinstance(cell, str) and "\r" in cell for row in (columns, *cells) for cell in row)
    text = table.to_csv(
        index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    )
    write_bytes(path, text.encode())


def read_table(path: Path, kind: type[_Record]) -> list[_Record]:
    """Read a CSV file of at least one record.

    Raises:
        ArtifactError: the file is missing, has no row, or has a row that is not such a record.
    """
    content = read_bytes(path)
    try:
        rows: list[Any] = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArtifactError(path, f"is damaged: {error}") from None
    if not rows:
        raise ArtifactError(path, "is damaged: it has no rows")
    return [_row(path, number, row, kind) for number, row in enumerate(rows, 1)]


def _row(path: Path, number: int, row: Any, kind: type[_Record]) -> _Record:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        raise ArtifactError(path, f"is damaged at row {number}, {first_problem(error)}") from None


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        ArtifactError: the file is missing.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(path, "is missing") from None


def first_problem(error: ValidationError) -> str:
    """Return the place of the first error and its reason, on one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "the file"
    reason = first["msg"].removeprefix("Value error, ")
    return " ".join(f"{place}: {reason}".split())
