"""The headline figures, each with its interval and its change against the baseline."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from maskline.contracts.evaluation import HEADLINES, Evaluation

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


def headlines(evaluation: Evaluation, baseline: Evaluation) -> list[Headline]:
    """Return the figures of HEADLINES in order."""
    return [
        Headline(key, name, evaluation.figures[key], interval(evaluation, key), change(evaluation, baseline, key))
        for key, name in HEADLINES.items()
    ]


def interval(evaluation: Evaluation, key: str) -> Ends | None:
    """Return a figure's interval, or None where it has none."""
    found = evaluation.interval.get(key)
    if found is None or found.low is None or found.high is None:
        return None
    return Ends(found.low, found.high)


def change(evaluation: Evaluation, baseline: Evaluation, key: str) -> Change | None:
    """Compare a figure with the baseline's; None where either has no value.

    If the baseline lies inside the figure's own interval, the change is called neither better nor worse: there are too
    few images to tell. A paired test on the same images, as in `maskline compare`, can tell more.
    """
    new, old = evaluation.figures.get(key), baseline.figures.get(key)
    if new is None or old is None:
        return None
    difference = round(new - old, DIGITS)
    if not difference:
        return Change("unchanged", "same")
    bounds = interval(evaluation, key)
    if bounds and bounds.low <= old <= bounds.high:
        return Change(_signed(difference), "inside the interval")
    return Change(_signed(difference), "better" if (difference > 0) != (key in LOWER_IS_BETTER) else "worse")


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(value):.{DIGITS}f}"
