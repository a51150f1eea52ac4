"""The headline figures, each with its interval and its change against the baseline."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from maskline.contracts.figures import HEADLINES, Figures
from maskline.contracts.tables import ClassRow, HeadlineRow

LOWER_IS_BETTER = ("expected_calibration_error",)
DIGITS = 3

Verdict = Literal["better", "worse", "inside the interval", "same"]


class Ends(NamedTuple):
    """The ends of an interval that has both."""

    low: float
    high: float


@dataclass(frozen=True)
class Change:
    """A figure's difference from the baseline's as text, and what it means."""

    text: str
    verdict: Verdict


@dataclass(frozen=True)
class Headline:
    """A figure by its key and its name in words; None: no value, no interval, no baseline."""

    key: str
    name: str
    value: float | None
    interval: Ends | None
    change: Change | None


def headlines(figures: Figures, baseline: Figures | None) -> list[Headline]:
    """Return the figures of HEADLINES in order."""
    found = {row.figure: row for row in figures.headlines}
    before = {} if baseline is None else {row.figure: row.value for row in baseline.headlines}
    return [_headline(found[key], before.get(key)) for key in HEADLINES]


def comparable(figures: Figures, baseline: Figures) -> bool:
    """Return whether both were measured on the same test images, at the same size."""
    return (figures.test_split, figures.resolution) == (baseline.test_split, baseline.resolution)


def interval(row: HeadlineRow | ClassRow) -> Ends | None:
    """Return a figure's interval, or None where it has none."""
    return None if row.low is None or row.high is None else Ends(row.low, row.high)


def change(key: str, new: float | None, old: float | None, bounds: Ends | None) -> Change | None:
    """Compare a figure that has an interval with the baseline's; None where either has no value.

    If the baseline lies inside the figure's own interval, the change is called neither better nor worse: there are too
    few images to tell. A paired test on the same images, as in `maskline compare`, can tell more.
    """
    if new is None or old is None:
        return None
    difference = round(new - old, DIGITS)
    if not difference:
        return Change("unchanged", "same")
    if bounds and bounds.low <= old <= bounds.high:
        return Change(_signed(difference), "inside the interval")
    return Change(_signed(difference), "better" if (difference > 0) != (key in LOWER_IS_BETTER) else "worse")


def _headline(row: HeadlineRow, before: float | None) -> Headline:
    bounds = interval(row)
    return Headline(row.figure, HEADLINES[row.figure], row.value, bounds, change(row.figure, row.value, before, bounds))


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(value):.{DIGITS}f}"
