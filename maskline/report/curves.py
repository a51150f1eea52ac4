"""Learning curves: what the history says, over epochs."""

import math
from collections.abc import Sequence

from maskline.contracts.history import Epoch
from maskline.report.charts import BOTTOM, TOP, Chart, Line, Point, Rule, Tick, across, labelled, ticks, upward

MOST_POINTS = 300


def kept_epoch(history: Sequence[Epoch]) -> Epoch:
    """Return the epoch whose weights the model has: the last that was better than all before it."""
    return next((row for row in reversed(history) if row.best), history[-1])


def thinned(history: Sequence[Epoch]) -> list[Epoch]:
    """Keep about MOST_POINTS epochs of a long history, the kept and the last among them."""
    step = math.ceil(len(history) / MOST_POINTS)
    always = (kept_epoch(history), history[-1])
    return [row for i, row in enumerate(history) if i % step == 0 or row in always]


def curve(title: str, history: Sequence[Epoch], fields: dict[str, str]) -> Chart:
    """Draw fields of the history over epochs.

    Args:
        title: the chart's title.
        history: one row per epoch, at least one.
        fields: the name of each line, and the field of Epoch that it follows.
    """
    rows = thinned(history)
    values = [getattr(row, field) for row in rows for field in fields.values()]
    y_values = ticks(min(values), max(values))
    alone = len(rows) == 1
    x, y = across(rows[0].epoch - alone, rows[-1].epoch + alone), upward(y_values[0], y_values[-1])
    kept = kept_epoch(history).epoch
    return Chart(
        title=title,
        words=_words(title, history, fields),
        x_label="epoch",
        x_ticks=[Tick(x(epoch), str(epoch)) for epoch in _epoch_ticks(rows[0].epoch, rows[-1].epoch)],
        y_ticks=labelled(y_values, y),
        lines=[
            Line(name, [_point(x(row.epoch), y(getattr(row, field)), row, name, field) for row in rows])
            for name, field in fields.items()
        ],
        rules=[Rule(x(kept), TOP, x(kept), BOTTOM, f"kept: epoch {kept}")],
    )


def _epoch_ticks(first: int, last: int) -> list[int]:
    if first == last:
        return [first]
    places = ticks(first, last, most=10)
    step = max(1, round(places[1] - places[0]))
    return [epoch for epoch in range(first, last + 1) if epoch % step == 0]


def _point(x: float, y: float, row: Epoch, name: str, field: str) -> Point:
    return Point(x, y, f"epoch {row.epoch}, {name}: {getattr(row, field):.4g}")


def _words(title: str, history: Sequence[Epoch], fields: dict[str, str]) -> str:
    parts = [
        f"{name} from {getattr(history[0], field):.3g} to {getattr(history[-1], field):.3g}"
        for name, field in fields.items()
    ]
    return f"{title} over {len(history)} epochs: {'; '.join(parts)}."
