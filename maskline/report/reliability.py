"""The reliability diagram (Guo et al., ICML 2017): how often the network is right where it is so sure."""

import math
from collections.abc import Sequence

from maskline.report.charts import BOTTOM, LEFT, MARGIN, RIGHT, TOP, Chart, Line, Point, Rule, across, labelled, upward
from maskline.report.schema import CalibrationBin

SMALLEST, LARGEST = 2.0, 8.0  # radius of a dot, whose area follows its bin's pixels
_PLACES = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def reliability(bins: Sequence[CalibrationBin], error: float | None) -> Chart:
    """Draw accuracy over confidence; the diagonal is a network as sure as it is right.

    Args:
        bins: of confidence; those without pixels are left out.
        error: the expected calibration error, for the words.
    """
    x, y = across(0, 1), upward(0, 1)
    filled = [b for b in bins if b.pixels and b.confidence is not None and b.accuracy is not None]
    most = max((b.pixels for b in filled), default=1)
    points = [Point(x(b.confidence), y(b.accuracy), _bin_words(b), _radius(b.pixels / most)) for b in filled]
    return Chart(
        title="Reliability",
        words=_words(filled, error),
        x_label="confidence",
        x_ticks=labelled(_PLACES, x),
        y_ticks=labelled(_PLACES, y),
        lines=[Line("accuracy", points)],
        rules=[Rule(LEFT + MARGIN, BOTTOM, RIGHT - MARGIN, TOP, "as sure as right")],
    )


def _radius(share: float) -> float:
    return round(max(SMALLEST, LARGEST * math.sqrt(share)), 1)


def _bin_words(b: CalibrationBin) -> str:
    return f"confidence {b.confidence:.3f}: accuracy {b.accuracy:.3f}, {b.pixels:,} pixels"


def _words(filled: Sequence[CalibrationBin], error: float | None) -> str:
    if not filled or error is None:
        return "Reliability: there is no valid pixel to judge by."
    pixels = sum(b.pixels for b in filled)
    gap = sum(b.pixels * (b.confidence - b.accuracy) for b in filled) / pixels
    way = "surer than it is right" if gap > 0 else "less sure than it is right"
    return f"Accuracy by confidence: on average the network is {way}, by {abs(gap):.3f}; calibration error {error:.3f}."
