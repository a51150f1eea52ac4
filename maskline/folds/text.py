"""The folds as text for a terminal and as JSON."""

import math
from collections.abc import Sequence

from tabulate import tabulate

from maskline.comparison.text import figure
from maskline.files.artifacts import json_text
from maskline.messages import printable
from maskline.metrics.scores import rounded
from maskline.series.pipeline import Pipeline
from maskline.series.results import Run, list_of_runs, table_of_runs
from maskline.series.summary import CONFIDENCE, Row

_NOTES = (
    "mean, deviation (n - 1) and interval (Student's t, cut to 0 to 1) are of the folds' figures;\n"
    "pooled is the figure of all images together, each predicted by the model that did not train\n"
    "on it.",
    "The folds are not independent, because any two models share most of their training\n"
    "images: the interval tends to be too narrow (Bengio and Grandvalet, 2004). It describes\n"
    "these params on data like these, and no single model.",
)


def as_text(pipeline: Pipeline, folds: Sequence[Run], rows: Sequence[Row]) -> str:
    """Return a table of folds and a table of metrics, with notes on how to read them."""
    images = sum(len(fold.result.filenames) for fold in folds)
    title = f"{len(folds)} folds of {images:,} images, from the commit {pipeline.commit[:7]}."
    return "\n\n".join([title, table_of_runs("fold", folds, rows), _metrics(rows), *_notes(rows)])


def as_json(pipeline: Pipeline, folds: Sequence[Run], rows: Sequence[Row]) -> str:
    """Return the figures as JSON; figures without a value are null."""
    return json_text(
        {
            "commit": pipeline.commit,
            "confidence": CONFIDENCE,
            "folds": list_of_runs("fold", folds),
            "metrics": {
                row.metric: {
                    "folds": [rounded(value) for value in row.values],
                    "mean": rounded(row.mean),
                    "standard_deviation": rounded(row.deviation),
                    "low": rounded(row.low),
                    "high": rounded(row.high),
                    "pooled": rounded(row.pooled),
                }
                for row in rows
            },
        }
    )


def _metrics(rows: Sequence[Row]) -> str:
    cells = [
        [
            printable(row.metric),
            *map(figure, (row.mean, row.deviation, row.lowest, row.highest)),
            "none" if math.isnan(row.low) else f"{row.low:.4f} to {row.high:.4f}",
            figure(row.pooled),
        ]
        for row in rows
    ]
    head = ("metric", "mean", "deviation", "lowest", "highest", f"{100 * CONFIDENCE:.0f} % interval", "pooled")
    return tabulate(cells, head, "simple", disable_numparse=True, colalign=("left", *["right"] * 6))


def _notes(rows: Sequence[Row]) -> list[str]:
    lacking = [printable(row.metric) for row in rows if any(map(math.isnan, row.values))]
    if not lacking:
        return list(_NOTES)
    return [*_NOTES, f"Some folds have no value of {', '.join(lacking)}; the others alone count there."]
