"""Two models on the same images: a test that exchanges the models image by image, and intervals that agree with it.

If two models differ only by chance, exchanging their counts on some images does not change the distribution of the
counts. The test (Fisher, 1935) compares the observed difference with those after random exchanges. Several metrics are
tested together by their largest standardized difference (max-T: Westfall and Young, 1993): in at most 5 % of such pairs
of models any metric is called different, even with few images.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

Metric = Callable[[np.ndarray], np.ndarray]

_NUMBERS = 1 << 22  # numbers held at once: 32 MiB
_EXACT = 1 - 1e-9  # equal statistics must not differ because of rounding


class Difference(NamedTuple):
    """The difference of M metrics, float64 [M] each; NaN if a metric has no value.

    Attributes:
        difference: the metrics of B minus those of A, over all images.
        low: lower ends of simultaneous intervals; 0 is outside if and only if the p-value is at most 1 - level.
        high: upper ends.
        p_value: two-sided, of no difference, corrected for the number of metrics.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray


def paired_difference(
    a: np.ndarray, b: np.ndarray, metric: Metric, seed: int, resamples: int = 10_000, level: float = 0.95
) -> Difference:
    """Compare two models on the same images.

    Args:
        a: counts [N, ...] of model A, image by image.
        b: counts of model B on the same images in the same order.
        metric: function of sums [B, ...] that returns float64 [B, M].
        seed: of the random exchanges.
        resamples: number of random exchanges. If there are no more possible exchanges than this, all are used. No
            p-value is below 1 / (resamples + 1).
        level: share of pairs of equal models in which no interval excludes 0.

    Raises:
        ValueError: the counts have different shapes.
    """
    if a.shape != b.shape:
        raise ValueError(f"Counts to compare must have one shape. Received: {a.shape} and {b.shape}")
    effects = image_effects(a, b, metric)
    observed = metric(b.sum(axis=0)[None])[0] - metric(a.sum(axis=0)[None])[0]
    known = ~np.isnan(effects).any(axis=0) & ~np.isnan(observed)
    effects = np.where(known, effects, 0.0)
    total, length = effects.sum(axis=0), np.sqrt((effects**2).sum(axis=0))
    agree = total * observed > 0  # otherwise the effects do not explain the difference, and it is not significant
    statistic = np.divide(np.abs(total), length, out=np.zeros_like(total), where=agree & (length > 0))
    largest = _largest(effects[:, length > 0] / length[length > 0], seed, resamples)
    p_value = np.array([np.count_nonzero(largest >= value * _EXACT) for value in statistic]) / len(largest)
    low, high = _interval(effects, total, observed, agree, _critical(largest, level))
    return Difference(*(np.where(known, column, np.nan) for column in (observed, low, high, p_value)))


def image_effects(a: np.ndarray, b: np.ndarray, metric: Metric) -> np.ndarray:
    """Return each image's part of the difference, float64 [N, M], which changes its sign if the image is exchanged.

    It is the derivative of the metric in the direction of the image's counts, at the mean of both models' sums, which
    does not depend on exchanges.
    """
    middle = (a.sum(axis=0) + b.sum(axis=0)) / 2
    step = max(1, _NUMBERS // middle.size)
    return np.concatenate([_slopes(a[i : i + step], b[i : i + step], middle, metric) for i in range(0, len(a), step)])


def _slopes(a: np.ndarray, b: np.ndarray, middle: np.ndarray, metric: Metric) -> np.ndarray:
    quarter = (b.astype(np.float64) - a) / 4  # a quarter, so that no class vanishes from the sums
    return 2 * (metric(middle + quarter) - metric(middle - quarter))


def _largest(effects: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Return the largest standardized difference after each exchange, for effects [N, M] of length 1.

    The first value is without an exchange. Of two opposite exchanges only one is used, because their values are equal.
    """
    if not effects.shape[1]:
        return np.zeros(1)
    images = len(effects)
    signs = _all_signs(images) if 2 ** (images - 1) <= resamples else _random_signs(images, seed, resamples)
    return np.concatenate([np.abs(some @ effects).max(axis=1) for some in signs])


def _all_signs(images: int) -> Iterator[np.ndarray]:
    """Yield all exchanges of the images except the first, float64 [2^(N - 1), N] of 1 and -1."""
    numbers = np.arange(2 ** (images - 1))[:, None]
    yield 1.0 - 2.0 * (numbers >> np.arange(images) & 1)


def _random_signs(images: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Yield no exchange, then random exchanges in blocks, float64 [B, N] of 1 and -1."""
    yield np.ones((1, images))
    generator = np.random.Generator(np.random.PCG64(seed))
    step = max(1, _NUMBERS // images)
    for start in range(0, resamples, step):
        yield 1.0 - 2.0 * generator.integers(0, 2, (min(step, resamples - start), images), np.int8)


def _critical(largest: np.ndarray, level: float) -> float:
    """Return the statistic above which the p-value is at most 1 - level; infinite if there are too few exchanges."""
    allowed = int((1 - level) * len(largest) + 1e-9)  # exchanges that may reach it
    return float(np.sort(largest)[::-1][allowed]) if allowed else math.inf


def _interval(
    effects: np.ndarray, total: np.ndarray, observed: np.ndarray, agree: np.ndarray, critical: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval from inverting the test: every difference d that the test of effects minus d / N accepts.

    The effects sum to the difference except for the metric's curvature, so the interval is scaled to the observed
    difference.
    """
    images = len(effects)
    deviation = np.sqrt(((effects - effects.mean(axis=0)) ** 2).sum(axis=0))
    reach = critical * (2 - _EXACT)  # a statistic equal to the critical one is not significant
    shrink = 1 - reach**2 / images
    half = reach * deviation / np.sqrt(shrink) if shrink > 0 else np.where(deviation > 0, np.inf, 0.0)
    scale = np.divide(observed, total, out=np.ones_like(total), where=agree)
    low, high = scale * (total - half), scale * (total + half)
    low, high = np.where(agree, low, np.minimum(low, 0.0)), np.where(agree, high, np.maximum(high, 0.0))
    return np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0)
