"""DVC's experiments in a table that fits a terminal: mean IoU, its change, and the params that differ."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from maskline.comparison.repository import dvc_errors, inside
from maskline.contracts.evaluation import PATH as FIGURES
from maskline.files.dotted import leaves

_NAME_WIDTH = 28
_WITHOUT_RESULT = ("failed", "queued", "running")


class Experiment(NamedTuple):
    """A revision that DVC shows, and how it differs from the commit that it started from.

    Attributes:
        name: a branch, `workspace`, or an experiment's name.
        state: `failed`, `queued` or `running` if it has no result for that reason, else empty.
        mean_iou: on the test images; None without a result.
        change: of mean IoU since the commit; None for the commit itself, and without a result.
        params: the params that differ, as `dvc exp run -S` takes them.
    """

    name: str
    state: str
    mean_iou: float | None
    change: float | None
    params: tuple[str, ...]


def read_experiments(folder: Path) -> list[Experiment]:
    """Read what `dvc exp show` shows: the workspace, the current commit, and its experiments, the best first.

    Args:
        folder: the folder of a dvc.yaml, such as '.' or 'ci'.

    Raises:
        InputError: the current folder is not in a DVC repository, or DVC cannot read it.
    """
    from dvc.repo import Repo

    with dvc_errors("the experiments"), Repo() as repo:
        pipeline = inside(repo.root_dir, folder)
        shown = [state.dumpd() for state in repo.experiments.show()]
    return list(_experiments(shown, pipeline.as_posix()))


def as_text(experiments: list[Experiment], width: int) -> str:
    """Return the table in `width` columns; a note names the command that shows why an experiment failed."""
    head = ["experiment", "mean IoU", "change", "changed params"]
    rows = [
        [
            textwrap.fill(e.name, _NAME_WIDTH),
            e.state or ("" if e.mean_iou is None else f"{e.mean_iou:.4f}"),
            "" if e.change is None else f"{e.change:+.4f}",
        ]
        for e in experiments
    ]
    space = max(20, width - 2 - len(_table(head[:3], rows).splitlines()[1]))
    rows = [[*row, "\n".join(_lines(e.params, space))] for row, e in zip(rows, experiments, strict=True)]
    notes = [f"`dvc queue logs {e.name}` shows why {e.name} failed." for e in experiments if e.state == "failed"]
    return "\n".join([_table(head, rows), *([""] if notes else []), *notes])


def _lines(params: tuple[str, ...], width: int) -> list[str]:
    """Break lines between params or words, and inside a word only if it is wider than a line."""
    lines = textwrap.wrap("  ".join(params), width, break_long_words=False, break_on_hyphens=False)
    return [piece for line in lines for piece in textwrap.wrap(line, width, break_on_hyphens=False)]


def _table(head: list[str], rows: list[list[str]]) -> str:
    align = ("left", "right", "right", "left")[: len(head)]
    return tabulate(rows, head, tablefmt="simple", colalign=align, disable_numparse=True)


def _experiments(shown: list[dict[str, Any]], folder: str) -> Iterator[Experiment]:
    workspace, *commits = shown
    base = commits[0] if commits else workspace
    yield _experiment("workspace", workspace, base, folder)
    for commit in commits:
        yield _experiment(commit["name"] or commit["rev"][:7], commit, commit, folder)
        started_here = [
            _experiment(run["name"] or run["revs"][0]["rev"][:7], run["revs"][0], commit, folder, _state(run))
            for run in commit["experiments"] or []
        ]
        yield from sorted(started_here, key=lambda e: (e.state, -(e.mean_iou or 0.0)))


def _state(run: dict[str, Any]) -> str:
    state = (run["executor"] or {}).get("state", "")
    return state if state in _WITHOUT_RESULT else ""


def _experiment(name: str, at: dict[str, Any], base: dict[str, Any], folder: str, state: str = "") -> Experiment:
    mean_iou = None if state else _mean_iou(at, folder)
    before = None if at is base else _mean_iou(base, folder)
    change = None if mean_iou is None or before is None else mean_iou - before
    params, base_params = _params(at, folder), _params(base, folder)
    differ = {key: value for key, value in params.items() if key not in base_params or base_params[key] != value}
    return Experiment(name, state, mean_iou, change, tuple(f"{k}={_written(v)}" for k, v in differ.items()))


def _mean_iou(at: dict[str, Any], folder: str) -> float | None:
    return _file(at, "metrics", folder, str(FIGURES)).get("mean_iou")


def _params(at: dict[str, Any], folder: str) -> dict[str, Any]:
    return dict(leaves(_file(at, "params", folder, "params.yaml")))


def _file(at: dict[str, Any], kind: str, folder: str, name: str) -> dict[str, Any]:
    """Return the content of a file that DVC shows; empty if the revision lacks it."""
    files = (at["data"] or {}).get(kind) or {}
    return files.get((Path(folder) / name).as_posix(), {}).get("data") or {}


def _written(value: Any) -> str:
    """Write a value as YAML does on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
