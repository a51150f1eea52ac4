"""A comparison as text for a terminal, as Markdown and as JSON."""

import math
from collections.abc import Callable
from typing import Any

from tabulate import tabulate

from maskline.comparison.compare import CONFIDENCE, Comparison, Difference
from maskline.files.artifacts import json_text
from maskline.messages import printable
from maskline.metrics.scores import rounded

_HEADERS = ("metric", "A", "B", "B - A", f"{100 * CONFIDENCE:.0f} % interval", "p", "B is")
_SIDES = ("left", "right", "right", "right", "right", "right", "left")


def as_text(comparison: Comparison) -> str:
    """Return a table for a terminal, with notes on how to read it."""
    return "\n\n".join([_title(comparison), _table(comparison, "simple", printable), *_notes(comparison)])


def as_table(comparison: Comparison) -> str:
    """Return the table for a terminal, without the notes."""
    return "\n\n".join([_title(comparison), _table(comparison, "simple", printable)])


def as_markdown(comparison: Comparison) -> str:
    """Return the table and the notes as Markdown, for example for the summary of a CI job."""
    return "\n\n".join([_title(comparison), _table(comparison, "github", code), *_notes(comparison)])


def as_json(comparison: Comparison) -> str:
    """Return the figures as JSON; figures without a value are null."""
    head = comparison._asdict() | {"confidence": CONFIDENCE}
    rows = head.pop("rows")
    return json_text(head | {"metrics": {row.metric: _plain(row) for row in rows}})


def _plain(row: Difference) -> dict[str, Any]:
    figures = row._asdict()
    del figures["metric"]
    return {key: rounded(value) if isinstance(value, float) else value for key, value in figures.items()}


def _title(comparison: Comparison) -> str:
    return f"A is {comparison.a}, B is {comparison.b}, on {comparison.images:,} test images."


def _table(comparison: Comparison, style: str, name: Callable[[str], str]) -> str:
    rows = [[name(row.metric), *_cells(row)] for row in comparison.rows]
    return tabulate(rows, _HEADERS, style, disable_numparse=True, colalign=_SIDES)


def _cells(row: Difference) -> list[str]:
    figures = [figure(row.a), figure(row.b), figure(row.difference, "+")]
    return [*figures, interval(row.low, row.high), figure(row.p_value), row.verdict]


def interval(low: float, high: float) -> str:
    """Return an interval of a difference as the table shows it."""
    return "none" if math.isnan(low) else f"{low:+.4f} to {high:+.4f}"


def figure(value: float, sign: str = "") -> str:
    """Return a figure as the table shows it."""
    return "none" if math.isnan(value) else f"{value:{sign}.4f}"


def code(name: str) -> str:
    """Return a name as Markdown code, so that none of its characters is taken for markup."""
    return "`" + printable(name).replace("|", "\\|").replace("`", "'") + "`"


def _notes(comparison: Comparison) -> list[str]:
    return [
        "Intervals and p-values come from a test that exchanges A and B on random images\n"
        f"({comparison.resamples:,} resamples, seed {comparison.seed}), corrected for the {len(comparison.rows)} "
        "metrics here. If A and B differ\nonly by chance, at most 1 table in 20 calls any metric better or worse.",
        "They describe these two trained models on images like these. Another seed gives\n"
        "other models, so train each with several seeds before you judge params.",
    ]
