"""Several trained models of two params on the same images: the difference of their means, and how sure it is.

Two things are drawn at random: the seeds of each side, and the images, which all models share. A metric's variance is
that of the seeds, each model a draw, plus that of the images: what the params' difference varies by from image to image
beyond what seeds explain. An image's mean difference has both parts, so the seeds' part is subtracted. This is the
analysis of studies in which several readers read the same cases (Obuchowski and Rockette, 1995), here with other
readers on each side.

A few seeds tell their variance badly, and so do images of which a few decide. The interval is therefore Student's t,
with the degrees of freedom of Welch (1947) and Satterthwaite (1946). A bootstrap over both (Owen, 2007) lacks this
correction: with few seeds it finds differences where there are none, as `benchmarks/seeds_simulation.py` shows.
"""

from typing import NamedTuple

import numpy as np

from maskline.comparison.paired import Difference, Metric

_NUMBERS = 1 << 22  # numbers held at once: 32 MiB
_LEFT_OUT = 0.75  # share of an image that is left out, so that no class vanishes


class _Variance(NamedTuple):
    """The variance of a metric's difference from one source, and its degrees of freedom, [M] each."""

    value: np.ndarray
    freedom: np.ndarray


def crossed_difference(a: np.ndarray, b: np.ndarray, metric: Metric, level: float | np.ndarray = 0.95) -> Difference:
    """Compare the mean metrics of two sides, each of models that differ in the seed alone.

    Args:
        a: counts [S, N, ...] of the S models of side A on N images; two models or more.
        b: counts [R, N, ...] of the R models of side B on the same images in the same order; two or more.
        metric: function of sums [B, ...] that returns float64 [B, M].
        level: of the intervals, alike for all metrics or [M].

    Returns:
        The mean of B minus that of A, its interval, and the p-value of each metric by itself. Without any variation the
        interval is the difference, and the p-value 1 if it is 0 and else 0. With one image, of which nobody knows how
        others differ, the interval is infinite and the p-value 1.
    """
    from scipy.special import stdtr, stdtrit  # slow to import

    values_a, values_b = (metric(side.sum(axis=1)) for side in (a, b))
    difference = values_b.mean(axis=0) - values_a.mean(axis=0)
    parts = [_of_seeds(values_a), _of_seeds(values_b), _of_images(a, b, metric)]
    error, freedom = _together(parts)
    statistic = np.divide(np.abs(difference), error, out=np.where(difference == 0, 0.0, np.inf), where=error != 0)
    reach = stdtrit(freedom, (1 + level) / 2) * error
    return Difference(difference, difference - reach, difference + reach, 2 * stdtr(freedom, -statistic))


def _of_seeds(values: np.ndarray) -> _Variance:
    """Return the variance over other seeds of the mean of a side's models, whose metrics are [S, M]."""
    variance = values.var(axis=0, ddof=1) / len(values)
    return _Variance(variance, np.full_like(variance, len(values) - 1))


def _of_images(a: np.ndarray, b: np.ndarray, metric: Metric) -> _Variance:
    """Return the variance of the difference over other images beyond that of the seeds.

    It is the jackknife's (Efron and Tibshirani, 1993), less the variance that each image's effect has because of the
    seeds. The variance of its squares gives its degrees of freedom: the fewer images decide, the fewer.
    """
    effects = [np.stack([_effects(model, metric) for model in side]) for side in (a, b)]
    images = a.shape[1]
    if images == 1:
        return _Variance(np.full(effects[0].shape[-1], np.inf), np.ones(effects[0].shape[-1]))
    squares = (effects[1].mean(axis=0) - effects[0].mean(axis=0)) ** 2
    noise = sum(each.var(axis=0, ddof=1) / len(each) for each in effects)
    variance = np.maximum(0.0, (squares - noise).sum(axis=0)) * images / (images - 1)
    total = squares.sum(axis=0)
    spread = (squares**2).sum(axis=0) - total**2 / images
    freedom = np.divide(2 * total**2, spread, out=np.full_like(total, np.inf), where=spread > 0)
    return _Variance(variance, np.minimum(freedom, images - 1))


def _effects(counts: np.ndarray, metric: Metric) -> np.ndarray:
    """Return by how much a metric of counts [N, ...] falls if an image is left out, [N, M], 0 on average."""
    sums = counts.sum(axis=0)
    step = max(1, _NUMBERS // sums.size)
    blocks = (counts[start : start + step] for start in range(0, len(counts), step))
    without = np.concatenate([metric(sums - _LEFT_OUT * block) for block in blocks])
    return (without.mean(axis=0) - without) / _LEFT_OUT


def _together(parts: list[_Variance]) -> tuple[np.ndarray, np.ndarray]:
    """Return the standard error of independent variances together and its degrees of freedom (Satterthwaite)."""
    variance = np.sum([part.value for part in parts], axis=0)
    uncertainty = np.sum([part.value**2 / part.freedom for part in parts], axis=0)
    is_known = (uncertainty > 0) & np.isfinite(variance)
    freedom = np.divide(variance**2, uncertainty, out=np.ones_like(variance), where=is_known)
    return np.sqrt(variance), freedom
