"""The drawings of the page: all inside their frames, all that is known in them, and what they say to who cannot see."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskline.contracts.history import Epoch
from maskline.contracts.tables import CalibrationBin, TrimapRow
from maskline.report.borders import near_borders
from maskline.report.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, ticks
from maskline.report.curves import MOST_POINTS, curve, kept_epoch, thinned
from maskline.report.reliability import LARGEST, SMALLEST, reliability


def inside(chart: Chart) -> bool:
    """Tell whether every point, tick and rule lies in the frame."""
    points = [(p.x, p.y) for line in chart.lines for p in line.points]
    ends = [end for r in chart.rules for end in ((r.x1, r.y1), (r.x2, r.y2))]
    xs = [x for x, _ in points + ends] + [t.place for t in chart.x_ticks]
    ys = [y for _, y in points + ends] + [t.place for t in chart.y_ticks]
    return all(LEFT <= x <= RIGHT for x in xs) and all(TOP <= y <= BOTTOM for y in ys)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
@example(0.0, 5e-324)
@example(0.5, 0.5)
@example(1e6, 1e6 - 1e-9)
def test_ticks_enclose_the_values(one: float, other: float) -> None:
    low, high = sorted((one, other))
    places = ticks(low, high)
    step = places[1] - places[0]
    assert 2 <= len(places) <= 8
    assert places[0] <= low + 1e-6 * step and high - 1e-6 * step <= places[-1]


def epochs(count: int, kept: int) -> list[Epoch]:
    common = {"learning_rate": 0.1, "train_loss": 1.0, "validation_loss": 1.0, "validation_pixel_accuracy": 0.5}
    return [Epoch(epoch=i, validation_mean_iou=0.5, best=i == kept, **common) for i in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, 17, 5003])
def test_charts_of_any_length_stay_inside(count: int) -> None:
    history = epochs(count, kept=max(1, count - 2))
    drawn = curve("Loss", history, {"train": "train_loss", "validation": "validation_loss"})
    assert inside(drawn) and drawn.x_ticks and len(drawn.lines) == 2
    assert drawn.rules[0].words == f"kept: epoch {max(1, count - 2)}"


def test_long_histories_are_thinned_but_keep_the_kept_and_the_last() -> None:
    history = epochs(5003, kept=1234)
    rows = thinned(history)
    assert len(rows) <= MOST_POINTS + 2
    assert {1234, 5003} <= {row.epoch for row in rows}
    assert kept_epoch(history).epoch == 1234


def bins(*rows: tuple[float | None, float | None, int]) -> list[CalibrationBin]:
    return [CalibrationBin(bin=0.5, confidence=c, accuracy=a, pixels=n) for c, a, n in rows]


def test_reliability_draws_bins_with_pixels_by_their_weight() -> None:
    drawn = reliability(bins((None, None, 0), (0.5, 0.4, 1), (0.9, 0.8, 400), (1.0, 1.0, 100)), 0.0801)
    [line] = drawn.lines
    assert inside(drawn) and len(line.points) == 3
    assert [p.radius for p in line.points] == [SMALLEST, LARGEST, LARGEST / 2]
    on_diagonal, below = line.points[2], line.points[1]
    rule = drawn.rules[0]
    assert (on_diagonal.x, on_diagonal.y) == (rule.x2, rule.y2)
    share = (below.x - rule.x1) / (rule.x2 - rule.x1)
    assert below.y > rule.y1 + share * (rule.y2 - rule.y1)  # lower on the page than the diagonal there
    assert "overconfident, by 0.080" in drawn.words and "error 0.080" in drawn.words


def test_reliability_of_a_timid_network_and_of_none() -> None:
    assert "underconfident, by 0.200" in reliability(bins((0.5, 0.7, 10)), 0.2).words
    empty = reliability(bins((None, None, 0)), None)
    assert empty.lines[0].points == [] and "no valid pixel" in empty.words


def rows(*accuracies: float | None) -> list[TrimapRow]:
    return [TrimapRow(distance=2**i, accuracy=a, pixels=10) for i, a in enumerate(accuracies)]


def test_borders_rise_to_the_accuracy_of_all() -> None:
    drawn = near_borders(rows(0.5, 0.7, 0.9), 0.95)
    heights = [p.y for p in drawn.lines[0].points]
    assert inside(drawn) and heights == sorted(heights, reverse=True)
    assert drawn.rules[0].y1 == drawn.rules[0].y2 < heights[-1]
    assert [t.label for t in drawn.x_ticks] == ["1", "2", "4"]
    assert "within 4 0.900; everywhere 0.950" in drawn.words


@pytest.mark.parametrize(
    ("accuracies", "everywhere"), [((None,), None), ((None, 0.5), 0.5), ((1.0,), 1.0), ((0.2,), None)]
)
def test_borders_of_little_are_drawn(accuracies: tuple, everywhere: float | None) -> None:
    drawn = near_borders(rows(*accuracies), everywhere)
    assert inside(drawn) and len(drawn.lines[0].points) == len([a for a in accuracies if a is not None])
