"""Line charts of the history as plain geometry, for an SVG that takes its colours from the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maskline.report.inputs import Epoch

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 42, 390, 12, 206
MOST_POINTS = 300


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in units of the drawing, and what stands there."""

    place: float
    label: str


@dataclass(frozen=True)
class Point:
    """A place in the drawing, and its values in words."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Line:
    """A named line through points."""

    name: str
    points: list[Point]


@dataclass(frozen=True)
class Chart:
    """A drawing of WIDTH x HEIGHT units; `kept` is the x of the epoch whose weights were kept."""

    title: str
    words: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    kept: Tick


def kept_epoch(history: Sequence[Epoch]) -> Epoch:
    """Return the epoch whose weights the model has: the last that was better than all before it."""
    return next((row for row in reversed(history) if row.best), history[-1])


def thinned(history: Sequence[Epoch]) -> list[Epoch]:
    """Keep about MOST_POINTS epochs of a long history, the kept and the last among them."""
    step = math.ceil(len(history) / MOST_POINTS)
    always = (kept_epoch(history), history[-1])
    return [row for i, row in enumerate(history) if i % step == 0 or row in always]


def chart(title: str, history: Sequence[Epoch], fields: dict[str, str]) -> Chart:
    """Draw fields of the history over epochs.

    Args:
        title: the chart's title.
        history: one row per epoch, at least one.
        fields: the name of each line, and the field of Epoch that it follows.
    """
    rows = thinned(history)
    values = [getattr(row, field) for row in rows for field in fields.values()]
    y_values = ticks(min(values), max(values))
    x_values = _epoch_ticks(rows[0].epoch, rows[-1].epoch)
    x_ends = (rows[0].epoch, rows[-1].epoch) if len(rows) > 1 else (rows[0].epoch - 1, rows[0].epoch + 1)

    def x(value: float) -> float:
        return _scaled(value, x_ends, (LEFT + 6, RIGHT - 6))

    def y(value: float) -> float:
        return _scaled(value, (y_values[0], y_values[-1]), (BOTTOM, TOP))

    lines = [
        Line(name, [_point(row, name, getattr(row, field), x, y) for row in rows]) for name, field in fields.items()
    ]
    kept = kept_epoch(history)
    return Chart(
        title=title,
        words=_words(title, history, fields),
        x_ticks=[Tick(x(value), str(value)) for value in x_values],
        y_ticks=[Tick(y(value), _number(value, y_values[1] - y_values[0])) for value in y_values],
        lines=lines,
        kept=Tick(x(kept.epoch), f"kept: epoch {kept.epoch}"),
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most `most` + 1 round values, evenly spaced, that enclose [low, high]; at least two."""
    span = max(high - low, 0.001 * max(abs(low), abs(high)), 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most - 1)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _epoch_ticks(first: int, last: int) -> list[int]:
    if first == last:
        return [first]
    places = ticks(first, last, most=10)
    step = max(1, round(places[1] - places[0]))
    return [epoch for epoch in range(first, last + 1) if epoch % step == 0]


def _scaled(value: float, ends: tuple[float, float], places: tuple[float, float]) -> float:
    share = (value - ends[0]) / (ends[1] - ends[0])
    return round(places[0] + share * (places[1] - places[0]), 1)


def _point(row: Epoch, name: str, value: float, x: object, y: object) -> Point:
    return Point(x(row.epoch), y(value), f"epoch {row.epoch}, {name}: {value:.4g}")


def _number(value: float, step: float) -> str:
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _words(title: str, history: Sequence[Epoch], fields: dict[str, str]) -> str:
    parts = [
        f"{name} from {getattr(history[0], field):.3g} to {getattr(history[-1], field):.3g}"
        for name, field in fields.items()
    ]
    return f"{title} over {len(history)} epochs: {'; '.join(parts)}."
