"""The comparison of two runs: each output is equal, within tolerance, or different."""

import csv
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from tabulate import tabulate

from maskline.contracts.dataset import PATH as DATASET
from maskline.contracts.folders import RAW, SHARDS, WEIGHTS
from maskline.contracts.suspects import IMAGES, REGIONS
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml

TOLERANCE = 0.03  # for a figure from 0 to 1; other instruction sets changed one by up to 0.0164
# Made in integer or exactly rounded arithmetic, before anything is trained.
_EXACT = tuple(path.as_posix() for path in (RAW, WEIGHTS, SHARDS, DATASET))
_TABLES = (".json", ".csv")
# Their rows are in order of scores, and a small change of one changes the order.
_RANKED = (REGIONS.as_posix(), IMAGES.as_posix())

Judgement = Literal["equal", "within tolerance", "different"]


class Output(NamedTuple):
    """An output as dvc.lock records it, and its content where it is a table that Git tracks."""

    md5: str
    content: bytes | None = None


class Verdict(NamedTuple):
    """The judgement on an output, and what differs; `reason` is empty for an equal one."""

    output: str
    judgement: Judgement
    reason: str = ""


class Change(NamedTuple):
    """The largest change of a number, and its place; `size` is infinite for a change that no tolerance allows."""

    size: float
    place: str

    def __str__(self) -> str:
        return f"{self.place} by {self.size:.4f}" if 0 < self.size < math.inf else self.place


_UNREADABLE = Change(0.0, "as the metrics are")


def as_text(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as a table for a terminal, and their counts."""
    table = tabulate(verdicts, ("output", "is", "largest change"), "simple", disable_numparse=True)
    counts = Counter(verdict.judgement for verdict in verdicts)
    summed = ", ".join(f"{counts[judgement]} {judgement}" for judgement in get_args(Judgement))
    return f"{table}\n\nOf {len(verdicts)} outputs: {summed}."


def recorded(folder: Path) -> dict[str, Output]:
    """Return the outputs in a folder's dvc.lock, with the content of those that are tables.

    Raises:
        InputError: dvc.lock is not what DVC writes, or a table differs from what it records.
    """
    lock = folder / "dvc.lock"
    try:
        outs = [out for stage in read_yaml(lock)["stages"].values() for out in stage.get("outs", [])]
        return {out["path"]: _output(folder, out["path"], out["md5"]) for out in outs}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{lock} records no outputs; run `dvc repro` and commit.") from None


def _output(folder: Path, name: str, md5: str) -> Output:
    path = folder / name
    if path.suffix not in _TABLES or not path.is_file():
        return Output(md5)
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise InputError(f"{name} is not the file that dvc.lock records; run `dvc repro` and commit both.")
    return Output(md5, content)


def judge(before: Mapping[str, Output], after: Mapping[str, Output]) -> list[Verdict]:
    """Judge each output of `before` by the run that made `after`.

    The figures in .json files decide, as people decide by them. A cell of a table can depend on a few pixels, and a
    model, a folder, a picture or a ranking has no figures here: all of these are within tolerance if all figures are.
    """
    changes = {name: _change(name, before.get(name), after.get(name)) for name in {**before, **after}}
    figures = [change.size if change else 0.0 for name, change in changes.items() if name.endswith(".json")]
    held = bool(figures) and max(figures) <= TOLERANCE
    return [_verdict(name, change, held) for name, change in changes.items()]


def _verdict(name: str, change: Change | None, held: bool) -> Verdict:
    if change is None:
        return Verdict(name, "equal")
    return Verdict(name, "within tolerance" if held and math.isfinite(change.size) else "different", str(change))


def _change(name: str, before: Output | None, after: Output | None) -> Change | None:
    if before is None or after is None:
        return Change(math.inf, "is new" if before is None else "is missing")
    if before.md5 == after.md5:
        return None
    if name in _EXACT:
        return Change(math.inf, "must be equal on any machine")
    if before.content is None or after.content is None or name in _RANKED:
        return _UNREADABLE
    return largest_change(name, before.content, after.content)


def largest_change(name: str, before: bytes, after: bytes) -> Change:
    """Return what changed most between two states of a .json or .csv file.

    Floats are compared as they are, whole numbers in a table as shares of their column's sum. All else must be equal.
    """
    read = _json_values if name.endswith(".json") else _csv_values
    old, new = read(before), read(after)
    if old.keys() != new.keys():
        return Change(math.inf, f"{min(old.keys() ^ new.keys())} is in only one of the two")
    changes = [Change(_distance(old[key], new[key]), key) for key in old if old[key] != new[key]]
    largest = max(changes, default=Change(0.0, "its form"))
    if math.isfinite(largest.size):
        return largest
    return Change(math.inf, f"{largest.place} is {_as_json(new[largest.place])}, was {_as_json(old[largest.place])}")


def _distance(old: Any, new: Any) -> float:
    floats = isinstance(old, float) and isinstance(new, float)
    return abs(old - new) if floats else math.inf


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_values(content: bytes) -> dict[str, Any]:
    """Return the values of a JSON file by dotted key."""
    values: dict[str, Any] = {}
    waiting = [("", json.loads(content))]
    while waiting:
        place, value = waiting.pop()
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
        if items is None:
            values[place] = value
        else:
            waiting += [(f"{place}.{key}".removeprefix("."), item) for key, item in items]
    return values


def _csv_values(content: bytes) -> dict[str, Any]:
    """Return the cells of a CSV file by column and row."""
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    values: dict[str, Any] = {}
    for column in rows[0] if rows else ():
        cells = _column([row[column] for row in rows])
        values |= {f"{column}[{number}]": cell for number, cell in enumerate(cells, 1)}
    return values


def _column(cells: list[str]) -> list[Any]:
    """Return a column's cells: whole numbers as shares of their sum, other numbers as floats, text as it is."""
    if all(cell.isdecimal() for cell in cells):
        total = sum(map(int, cells)) or 1
        return [int(cell) / total for cell in cells]
    try:
        return [float(cell) if cell else None for cell in cells]
    except ValueError:
        return list(cells)
