"""The headline figures, each with its interval and its change against the baseline."""

from dataclasses import dataclass

from maskline.report.inputs import HEADLINE
from maskline.report.schema import Interval, Metrics

NAMES = dict(
    zip(
        HEADLINE,
        (
            "mean IoU",
            "pixel accuracy",
            "mean accuracy",
            "frequency-weighted IoU",
            "mean Dice",
            "boundary IoU",
            "calibration error",
        ),
        strict=True,
    )
)
LOWER_IS_BETTER = ("expected_calibration_error",)
DIGITS = 3


@dataclass(frozen=True)
class Change:
    """A figure's difference from the baseline's, and what it means: better, worse, inside the interval, unchanged."""

    text: str
    verdict: str


@dataclass(frozen=True)
class Headline:
    """A figure by its key and its name in words; None: no value, no interval, no baseline."""

    key: str
    name: str
    value: float | None
    interval: Interval | None
    change: Change | None


def headlines(metrics: Metrics, baseline: Metrics) -> list[Headline]:
    """Return the figures of HEADLINE in order."""
    return [
        Headline(key, name, metrics.figures[key], interval(metrics, key), change(metrics, baseline, key))
        for key, name in NAMES.items()
    ]


def interval(metrics: Metrics, key: str) -> Interval | None:
    """Return a figure's interval, or None where it has none."""
    found = metrics.interval.get(key)
    return None if found is None or found.low is None or found.high is None else found


def change(metrics: Metrics, baseline: Metrics, key: str) -> Change | None:
    """Hold a figure against the baseline's; None where either has no value.

    A baseline inside the figure's own interval is called no change for the better or worse: the images are too few to
    tell. A paired test on the same images, as `maskline compare` makes it, can tell more.
    """
    new, old = metrics.figures.get(key), baseline.figures.get(key)
    if new is None or old is None:
        return None
    difference = round(new - old, DIGITS)
    if not difference:
        return Change("unchanged", "same")
    bounds = interval(metrics, key)
    if bounds and bounds.low <= old <= bounds.high:
        return Change(_signed(difference), "inside the interval")
    return Change(_signed(difference), "better" if (difference > 0) != (key in LOWER_IS_BETTER) else "worse")


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(value):.{DIGITS}f}"
