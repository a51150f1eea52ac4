"""Accuracy near the borders between classes, over the distance to them (Kohli et al., IJCV 2009)."""

from collections.abc import Sequence
from typing import NamedTuple

from maskline.contracts.tables import TrimapRow
from maskline.report.charts import LEFT, RIGHT, Chart, Line, Point, Rule, Tick, across, labelled, ticks, upward


class _Known(NamedTuple):
    """A distance within which there are pixels."""

    distance: int
    accuracy: float
    pixels: int


def near_borders(rows: Sequence[TrimapRow], everywhere: float | None) -> Chart:
    """Draw the accuracy of the pixels within each distance of a border.

    Args:
        rows: one per distance; those without pixels are left out.
        everywhere: the accuracy of all valid pixels, drawn as a rule.
    """
    known = [_Known(row.distance, row.accuracy, row.pixels) for row in rows if row.accuracy is not None]
    values = [*(row.accuracy for row in known), *([] if everywhere is None else [everywhere])] or [0.0, 1.0]
    y_values = ticks(min(values), max(values))
    x, y = across(-0.5, max(len(known) - 0.5, 0.5)), upward(y_values[0], y_values[-1])
    points = [Point(x(i), y(row.accuracy), _row_words(row)) for i, row in enumerate(known)]
    rules = [] if everywhere is None else [Rule(LEFT, y(everywhere), RIGHT, y(everywhere), "all valid pixels")]
    return Chart(
        title="Accuracy near borders",
        words=_words(known, everywhere),
        x_label="pixels to the border, at most",
        x_ticks=[Tick(x(i), str(row.distance)) for i, row in enumerate(known)],
        y_ticks=labelled(y_values, y),
        lines=[Line("accuracy", points)],
        rules=rules,
    )


def _row_words(row: _Known) -> str:
    return f"within {row.distance} of a border: {row.accuracy:.3f}, {row.pixels:,} pixels"


def _words(known: Sequence[_Known], everywhere: float | None) -> str:
    if not known or everywhere is None:
        return "Accuracy near borders: there is no border."
    parts = "; ".join(f"within {row.distance} {row.accuracy:.3f}" for row in known)
    return f"Accuracy by distance to a border in pixels: {parts}; everywhere {everywhere:.3f}."
