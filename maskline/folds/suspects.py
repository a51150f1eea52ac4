"""The labels to check of all folds in one ranked table."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from maskline.contracts.suspects import REGIONS
from maskline.errors import InputError
from maskline.files.records import write_cells
from maskline.series.pipeline import Pipeline, read_committed
from maskline.series.results import Run

_NEEDED = ("rank", "split", "score")


def write_suspects(pipeline: Pipeline, folds: Sequence[Run], out: Path) -> int:
    """Join the rows of each fold's test images, the highest score first, and return their number.

    Every image is a test image of one fold. The column `fold` takes the place of `split`.

    Raises:
        InputError: a fold's experiment has no such table.
    """
    rows = [row for fold in folds for row in _rows(pipeline, fold)]
    rows.sort(key=lambda row: -float(row["score"]))
    for rank, row in enumerate(rows, 1):
        row["rank"] = str(rank)
    columns = _columns(pipeline, folds[0])
    write_cells(out, columns, [[row[column] for column in columns] for row in rows])
    return len(rows)


def _rows(pipeline: Pipeline, fold: Run) -> list[dict[str, str]]:
    table = _table(pipeline, fold)
    rows = [dict(row) for row in table if row["split"] == "test"]
    for row in rows:
        row["fold"] = str(fold.number)
        del row["split"]
    return rows


def _columns(pipeline: Pipeline, fold: Run) -> list[str]:
    return ["fold" if name == "split" else name for name in _table(pipeline, fold).fieldnames or ()]


def _table(pipeline: Pipeline, fold: Run) -> "csv.DictReader[str]":
    text = read_committed(pipeline, fold.commit, REGIONS.as_posix())
    table = csv.DictReader(io.StringIO(text or "", newline=""))
    if lacking := [name for name in _NEEDED if name not in (table.fieldnames or ())]:
        raise InputError(
            f"the experiment {fold.name} has no column {lacking[0]} in {REGIONS}; remove it with "
            f"`dvc exp remove {fold.name}`, and run the command again with code that writes the table."
        )
    return table
