"""The reliability diagram (Guo et al., ICML 2017): the accuracy of the pixels of each confidence."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from maskline.contracts.tables import CalibrationBin
from maskline.report.charts import BOTTOM, LEFT, MARGIN, RIGHT, TOP, Chart, Line, Point, Rule, across, labelled, upward

SMALLEST, LARGEST = 2.0, 8.0  # radius of a dot, whose area follows its bin's pixels
_PLACES = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


class _Filled(NamedTuple):
    """A bin with pixels."""

    confidence: float
    accuracy: float
    pixels: int


def reliability(bins: Sequence[CalibrationBin], error: float | None) -> Chart:
    """Draw accuracy over confidence; a perfectly calibrated network lies on the diagonal.

    Args:
        bins: of confidence; those without pixels are left out.
        error: the expected calibration error, for the text alternative.
    """
    x, y = across(0, 1), upward(0, 1)
    filled = [
        _Filled(b.confidence, b.accuracy, b.pixels)
        for b in bins
        if b.pixels and b.confidence is not None and b.accuracy is not None
    ]
    most = max((b.pixels for b in filled), default=1)
    points = [Point(x(b.confidence), y(b.accuracy), _bin_words(b), _radius(b.pixels / most)) for b in filled]
    return Chart(
        title="Reliability",
        words=_words(filled, error),
        x_label="confidence",
        x_ticks=labelled(_PLACES, x),
        y_ticks=labelled(_PLACES, y),
        lines=[Line("accuracy", points)],
        rules=[Rule(LEFT + MARGIN, BOTTOM, RIGHT - MARGIN, TOP, "accuracy equals confidence")],
    )


def _radius(share: float) -> float:
    return round(max(SMALLEST, LARGEST * math.sqrt(share)), 1)


def _bin_words(b: _Filled) -> str:
    return f"confidence {b.confidence:.3f}: accuracy {b.accuracy:.3f}, {b.pixels:,} pixels"


def _words(filled: Sequence[_Filled], error: float | None) -> str:
    if not filled or error is None:
        return "Reliability: there is no valid pixel."
    pixels = sum(b.pixels for b in filled)
    gap = sum(b.pixels * (b.confidence - b.accuracy) for b in filled) / pixels
    way = "overconfident" if gap > 0 else "underconfident"
    return f"Accuracy by confidence: on average the network is {way}, by {abs(gap):.3f}; calibration error {error:.3f}."
