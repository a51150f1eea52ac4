"""The runs of several seeds as text for a terminal, as JSON and as a table for Git."""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from maskline.comparison.text import figure
from maskline.files.artifacts import json_text
from maskline.files.records import write_cells
from maskline.messages import printable
from maskline.metrics.scores import rounded
from maskline.seeds.runs import pattern, same_images
from maskline.series.pipeline import Pipeline
from maskline.series.results import Run, list_of_runs, table_of_runs
from maskline.series.summary import Row


def as_text(pipeline: Pipeline, runs: Sequence[Run], rows: Sequence[Row]) -> str:
    """Return a table of runs and a table of metrics, with notes on how to read them."""
    title = f"{len(runs)} seeds of the commit {pipeline.commit[:7]}."
    return "\n\n".join([title, table_of_runs("seed", runs, rows), _metrics(rows), *_notes(pipeline, runs)])


def as_json(pipeline: Pipeline, runs: Sequence[Run], rows: Sequence[Row]) -> str:
    """Return the figures as JSON; figures without a value are null."""
    return json_text(
        {
            "commit": pipeline.commit,
            "same_images": same_images(runs),
            "runs": list_of_runs("seed", runs),
            "metrics": {
                row.metric: {
                    "runs": [rounded(value) for value in row.values],
                    "mean": rounded(row.mean),
                    "standard_deviation": rounded(row.deviation),
                    "lowest": rounded(row.lowest),
                    "highest": rounded(row.highest),
                }
                for row in rows
            },
        }
    )


def write_csv(path: Path, runs: Sequence[Run], rows: Sequence[Row]) -> None:
    """Write a row for each metric: mean, deviation, lowest, highest, and the value of each seed."""
    columns = ["metric", "mean", "standard_deviation", "lowest", "highest", *(f"seed_{run.number}" for run in runs)]
    cells = [
        [row.metric, *map(rounded, (row.mean, row.deviation, row.lowest, row.highest, *row.values))] for row in rows
    ]
    write_cells(path, columns, cells)


def _metrics(rows: Sequence[Row]) -> str:
    cells = [[printable(row.metric), *map(figure, (row.mean, row.deviation, row.lowest, row.highest))] for row in rows]
    head = ("metric", "mean", "deviation", "lowest", "highest")
    return tabulate(cells, head, "simple", disable_numparse=True, colalign=("left", *["right"] * 4))


def _notes(pipeline: Pipeline, runs: Sequence[Run]) -> list[str]:
    if same_images(runs):
        other = pattern(pipeline._replace(commit="COMMIT"))
        folder = "" if pipeline.folder == Path() else f" --folder {pipeline.folder.as_posix()}"
        return [
            "deviation (n - 1) is that of single runs. To compare with the runs of another commit:\n"
            f"`maskline compare '{pattern(pipeline)}' --against '{other}'{folder}`"
        ]
    return [
        "deviation (n - 1) is that of single runs, and partly that of their test images: the\n"
        "seed draws them here. `maskline compare` needs the same images, so list them in\n"
        "test.txt, or use data with a test split of its own."
    ]
