"""Line charts as plain geometry, for an SVG that takes its colors from the page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 42, 390, 12, 206
MARGIN = 6  # from the axis to the first point
DOT = 2.5

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in units of the drawing, and its label."""

    place: float
    label: str


@dataclass(frozen=True)
class Point:
    """A place in the drawing, its values in words, and the size of its dot."""

    x: float
    y: float
    words: str
    radius: float = DOT


@dataclass(frozen=True)
class Line:
    """A named line through points."""

    name: str
    points: list[Point]


@dataclass(frozen=True)
class Rule:
    """A dotted line of reference, from the first place to the second."""

    x1: float
    y1: float
    x2: float
    y2: float
    words: str


@dataclass(frozen=True)
class Chart:
    """A drawing of WIDTH x HEIGHT units; `words` is its text alternative."""

    title: str
    words: str
    x_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    rules: list[Rule] = field(default_factory=list)


def across(low: float, high: float) -> Scale:
    """Return the map from values, low at the left and high at the right, to places."""
    return _scale((low, high), (LEFT + MARGIN, RIGHT - MARGIN))


def upward(low: float, high: float) -> Scale:
    """Return the map from values, low at the bottom and high at the top, to places."""
    return _scale((low, high), (BOTTOM, TOP))


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most `most` + 1 round values, evenly spaced, that enclose [low, high]; at least two."""
    span = max(high - low, 0.001 * max(abs(low), abs(high)), 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most - 1)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def labelled(values: Sequence[float], scale: Scale) -> list[Tick]:
    """Return ticks of evenly spaced values, with as many digits as their step needs."""
    digits = max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9))
    return [Tick(scale(value), f"{value:.{digits}f}") for value in values]


def _scale(ends: tuple[float, float], places: tuple[float, float]) -> Scale:
    def scale(value: float) -> float:
        share = (value - ends[0]) / (ends[1] - ends[0])
        return round(places[0] + share * (places[1] - places[0]), 1)

    return scale
