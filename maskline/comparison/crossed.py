"""Several trained models of two params on the same images: the difference of their means, and how sure it is.

Two things are drawn at random: the seeds of each side and the images, which all models share. A metric's variance is
that of the seeds, each model a draw, plus that of the images: what the params' difference varies by from image to image
beyond what seeds explain. An image's mean difference has both parts, so the seeds' part is subtracted, and never more
than there is. This is the analysis of studies in which several readers read the same cases (Obuchowski and Rockette,
1995), here with other readers on each side.

Few seeds know their variance badly. The interval is therefore Student's t, with the degrees of freedom of Welch (1947)
and Satterthwaite (1946), in which the images' variance counts as known (Hillis, 2007). A plain bootstrap over both
(Owen, 2007) lacks this correction: with few seeds its intervals are too narrow.
"""

import numpy as np

from maskline.comparison.paired import Difference, Metric, effects_at


def crossed_difference(a: np.ndarray, b: np.ndarray, metric: Metric, level: float | np.ndarray = 0.95) -> Difference:
    """Compare the mean metrics of two sides, each of models that differ in the seed alone.

    Args:
        a: counts [S, N, ...] of the S models of side A on N images; two models or more.
        b: counts [R, N, ...] of the R models of side B on the same images in the same order; two or more.
        metric: function of sums [B, ...] that returns float64 [B, M].
        level: of the intervals, alike for all metrics or [M].

    Returns:
        The mean of B minus that of A, its interval, and the p-value of each metric by itself. Without any variation the
        interval is the difference, and the p-value 1 if it is 0 and else 0.
    """
    from scipy.special import stdtr, stdtrit  # slow to import

    (mean_a, seeds_a), (mean_b, seeds_b) = (_of_seeds(side, metric) for side in (a, b))
    variance = seeds_a + seeds_b + np.maximum(0.0, _of_images(a, b, metric))
    satterthwaite = seeds_a**2 / (len(a) - 1) + seeds_b**2 / (len(b) - 1)
    difference, error = mean_b - mean_a, np.sqrt(variance)
    freedom = np.divide(variance**2, satterthwaite, out=np.full_like(variance, np.inf), where=satterthwaite > 0)
    statistic = np.divide(np.abs(difference), error, out=np.where(difference == 0, 0.0, np.inf), where=error > 0)
    freedom = np.minimum(freedom, 1e9)  # from there on it is the normal distribution
    p_value, reach = 2 * stdtr(freedom, -statistic), stdtrit(freedom, (1 + level) / 2) * error
    return Difference(difference, difference - reach, difference + reach, p_value)


def _of_seeds(side: np.ndarray, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of a side's models and the variance of this mean over other seeds, [M] each."""
    values = metric(side.sum(axis=1))
    return values.mean(axis=0), values.var(axis=0, ddof=1) / len(values)


def _of_images(a: np.ndarray, b: np.ndarray, metric: Metric) -> np.ndarray:
    """Return the variance of the difference over other images beyond that of the seeds, [M], negative by chance.

    It is that of the sum of the images' effects on the difference (the infinitesimal jackknife: Efron and Tibshirani,
    1993), less the variance that each effect has because of the seeds.
    """
    (effect_a, noise_a), (effect_b, noise_b) = (_effects(side, metric) for side in (a, b))
    images = a.shape[1]
    return ((effect_b - effect_a) ** 2 - noise_a - noise_b).sum(axis=0) * images / max(1, images - 1)


def _effects(side: np.ndarray, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over a side's models of each image's effect, and the variance of this mean, [N, M] each."""
    none = np.broadcast_to(0, side.shape[1:])
    effects = np.stack([effects_at(model.sum(axis=0), none, model, metric) for model in side])
    return effects.mean(axis=0), effects.var(axis=0, ddof=1) / len(side)
