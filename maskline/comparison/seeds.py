"""Two params, each with the models of several seeds: the difference of each metric, and whether params make it.

From LEAST seeds a side the test is that of `crossed`. Mean IoU comes first, at the full level. The other metrics count
only if it differs, each at its share of the level (Bonferroni): two sides of the same params are then told apart in at
most 1 table in 20, and few seeds are not spent on many metrics (a gatekeeper: Dmitrienko and others, 2003).

With fewer seeds nobody knows what seeds vary by. Then images alone can decide, if every model of one side differs from
every model of the other by the test of `paired`; that is said of these models, and not of params.
"""

import itertools
from typing import NamedTuple

import numpy as np

from maskline.comparison.compare import CONFIDENCE, Result, paired_matrices
from maskline.comparison.crossed import crossed_difference
from maskline.comparison.paired import Difference, paired_difference
from maskline.metrics.bootstrap import headlines_and_ious
from maskline.metrics.scores import HEADLINES

LEAST = 4  # seeds a side; all exchanges of three models with three are 20, too few for 5 %
BY_IMAGES = "by images alone"
_GATE = list(HEADLINES).index("mean_iou")
_ROUNDING = 1e-12


class Row(NamedTuple):
    """One metric of both sides; NaN is no value.

    Attributes:
        metric: its name.
        a: its values of the models of A.
        b: its values of the models of B.
        difference: mean of B - mean of A.
        low: lower end of the interval of the difference; NaN with too few seeds.
        high: upper end.
        p_value: of no difference, corrected for the number of metrics; NaN with too few seeds.
        verdict: 'better', 'worse', "can't tell" or 'the same', for B; with too few seeds and a decision, 'better by
            images alone' or 'worse by images alone'.
    """

    metric: str
    a: list[float]
    b: list[float]
    difference: float
    low: float
    high: float
    p_value: float
    verdict: str


class SeedsComparison(NamedTuple):
    """The rows of two sides: the names of their runs, by seed, and the number of test images."""

    a: dict[int, str]
    b: dict[int, str]
    images: int
    resamples: int
    seed: int
    rows: list[Row]

    @property
    def is_about_params(self) -> bool:
        """Whether there are seeds enough on both sides."""
        return min(len(self.a), len(self.b)) >= LEAST


def compare_seeds(a: dict[int, Result], b: dict[int, Result], resamples: int, seed: int) -> SeedsComparison:
    """Compare two sides, each the results of models that differ in the seed alone, by seed.

    Args:
        a: results of side A.
        b: results of side B.
        resamples: number of random exchanges where images alone decide.
        seed: of the exchanges.

    Raises:
        InputError: two results have different classes, or were scored on different images, masks or sizes.
    """
    first = next(iter(a.values()))
    sides = [np.stack([paired_matrices(first, result)[1] for result in side.values()]) for side in (a, b)]
    values = [headlines_and_ious(side.sum(axis=1)) for side in sides]
    if min(len(a), len(b)) >= LEAST:
        found = _of_params(*sides)
        verdicts = [_verdict(d, p <= 1 - CONFIDENCE) for d, p in zip(found.difference, found.p_value, strict=True)]
    else:
        found, decided = _of_models(*sides, resamples, seed)
        verdicts = [_verdict(d, e, f" {BY_IMAGES}") for d, e in zip(found.difference, decided, strict=True)]
    equal = np.ptp(np.concatenate(values), axis=0) <= _ROUNDING
    verdicts = ["the same" if same else verdict for same, verdict in zip(equal, verdicts, strict=True)]
    names = [*HEADLINES, *(f"iou.{name}" for name in first.classes)]
    columns = [column.T.tolist() for column in (*values, *found)]
    rows = [Row(*row) for row in zip(names, *columns, verdicts, strict=True)]
    named = [{seed: result.name for seed, result in side.items()} for side in (a, b)]
    return SeedsComparison(*named, sides[0].shape[1], resamples, seed, rows)


def _of_params(a: np.ndarray, b: np.ndarray) -> Difference:
    """Return the differences with p-values and intervals that respect the gate and the number of metrics."""
    others = len(HEADLINES) + a.shape[-1] - 1
    share = np.full(others + 1, float(others))
    share[_GATE] = 1.0
    found = crossed_difference(a, b, headlines_and_ious, 1 - (1 - CONFIDENCE) / share)
    gate = np.nan_to_num(found.p_value[_GATE], nan=1.0)
    p_value = np.maximum(np.minimum(found.p_value * share, 1.0), gate)
    closed = gate > 1 - CONFIDENCE
    low = np.minimum(found.low, 0.0) if closed else found.low
    high = np.maximum(found.high, 0.0) if closed else found.high
    return Difference(found.difference, np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0), p_value)


def _of_models(a: np.ndarray, b: np.ndarray, resamples: int, seed: int) -> tuple[Difference, np.ndarray]:
    """Return the differences alone, and for which metrics all pairs of models differ in one direction, bool [M]."""
    pairs = [
        paired_difference(one, other, headlines_and_ious, seed, resamples, CONFIDENCE)
        for one, other in itertools.product(a, b)
    ]
    signs = np.stack([np.where(pair.p_value <= 1 - CONFIDENCE, np.sign(pair.difference), 0) for pair in pairs])
    difference = headlines_and_ious(b.sum(axis=1)).mean(axis=0) - headlines_and_ious(a.sum(axis=1)).mean(axis=0)
    none = np.full_like(difference, np.nan)
    return Difference(difference, none, none, none), np.abs(signs.sum(axis=0)) == len(pairs)


def _verdict(difference: float, is_decided: bool, by: str = "") -> str:
    if not is_decided:
        return "can't tell"
    return ("better" if difference > 0 else "worse") + by
