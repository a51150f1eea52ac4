"""The results of the finished experiments of a series."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tabulate import tabulate

from maskline.comparison.compare import Result
from maskline.comparison.revisions import read_result
from maskline.comparison.text import figure
from maskline.series.pipeline import Series
from maskline.series.summary import Row


class Run(NamedTuple):
    """A finished experiment: its number in the series, its name, its commit, and its result."""

    number: int
    name: str
    commit: str
    result: Result


def read_runs(series: Series, commits: dict[int, str]) -> list[Run]:
    """Return the runs in the order of their numbers, from the commits of their experiments.

    Raises:
        InputError: a result cannot be read.
    """
    found = []
    for number, commit in sorted(commits.items()):
        name = series.members[number].name
        found.append(Run(number, name, commit, read_result(commit, series.pipeline.folder)._replace(name=name)))
    return found


def list_of_runs(singular: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the runs for JSON; `singular`, such as 'seed', names their numbers."""
    return [
        {singular: r.number, "experiment": r.name, "commit": r.commit, "images": len(r.result.filenames)} for r in runs
    ]


def table_of_runs(singular: str, runs: Sequence[Run], rows: Sequence[Row]) -> str:
    """Return a table for a terminal with the images, mean IoU and pixel accuracy of each run."""
    shown = {row.metric: row.values for row in rows}
    cells = [
        [r.number, r.name, len(r.result.filenames), figure(shown["mean_iou"][i]), figure(shown["pixel_accuracy"][i])]
        for i, r in enumerate(runs)
    ]
    head = (singular, "experiment", "images", "mean_iou", "pixel_accuracy")
    return tabulate(cells, head, "simple", disable_numparse=True, colalign=("right", "left", "right", "right", "right"))
