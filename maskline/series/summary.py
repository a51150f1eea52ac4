"""What the figures of a series come to: mean, standard deviation, interval, and the figure of all images together."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from maskline.comparison.compare import Result
from maskline.metrics.scores import iou, mean_iou, pixel_accuracy

CONFIDENCE = 0.95
# The 97.5 % quantiles of Student's t with 1 to 19 degrees of freedom.
_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622,
    2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930,
)  # fmt: skip


class Row(NamedTuple):
    """One metric over the runs of a series; NaN is no value.

    Attributes:
        metric: its name.
        values: of each run.
        mean: of the runs that have a value.
        deviation: their standard deviation, with n - 1.
        low: lower end of the t interval of the mean, cut to 0 to 1; NaN with fewer than two values.
        high: its upper end.
        pooled: from the sum of all runs' confusion matrices.
    """

    metric: str
    values: list[float]
    mean: float
    deviation: float
    low: float
    high: float
    pooled: float

    @property
    def lowest(self) -> float:
        """The lowest of the values; NaN without one."""
        return min((value for value in self.values if not math.isnan(value)), default=math.nan)

    @property
    def highest(self) -> float:
        """The highest of the values; NaN without one."""
        return max((value for value in self.values if not math.isnan(value)), default=math.nan)


def summarize(results: Sequence[Result]) -> list[Row]:
    """Return a row for mean IoU, pixel accuracy and each class's IoU, from results of the same classes."""
    matrices = np.stack([result.matrices.sum(axis=0) for result in results])
    pooled = matrices.sum(axis=0)
    metrics: dict[str, Callable[[np.ndarray], np.ndarray]] = {"mean_iou": mean_iou, "pixel_accuracy": pixel_accuracy}
    rows = [_row(name, metric(matrices), metric(pooled)) for name, metric in metrics.items()]
    by_class, of_all = iou(matrices), iou(pooled)
    return rows + [_row(f"iou.{name}", by_class[:, i], of_all[i]) for i, name in enumerate(results[0].classes)]


def _row(metric: str, runs: np.ndarray, pooled: np.ndarray) -> Row:
    values = runs[~np.isnan(runs)]
    mean = float(values.mean()) if len(values) else math.nan
    deviation, low, high = math.nan, math.nan, math.nan
    if len(values) > 1:
        deviation = float(values.std(ddof=1))
        reach = _T[len(values) - 2] * deviation / math.sqrt(len(values))
        low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    return Row(metric, runs.tolist(), mean, deviation, low, high, float(pooled))
