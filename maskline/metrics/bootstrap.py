"""Confidence intervals of figures by a seeded bootstrap over images (Efron and Tibshirani, 1993).

A resample draws as many images as there are, with replacement, and sums their counts. The spread of a figure over many
resamples estimates its spread over other test sets of the same kind. Images are resampled instead of pixels, because
the pixels of an image are not independent.

Of more than RANDOM_GROUPS images, that many groups of images are resampled instead (random groups: Wolter, Introduction
to Variance Estimation, 2007, chapter 2). Images are dealt to the G groups at random and evenly, so that the sums of
groups vary as those of images do: the expected variance of a resample's sums is 1 - 1 / G times that of resampled
images. The variance is known less surely from fewer units, which moves the width of an interval by sqrt(1 / (2 G)) =
0.5 %, however unequal the images are; the draw of 1,000 resamples moves it by 3 %. A group may have one image more than
another, which figures do not show, because they are shares of pixels.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from maskline.metrics.scores import HEADLINES, iou, rounded

Metric = Callable[[np.ndarray], np.ndarray]

RANDOM_GROUPS = 20_000  # the most images that are resampled one by one

_READ = 1 << 16  # images that are dealt to groups at once
_NUMBERS = 1 << 21  # numbers held for resamples that are drawn at once: 16 MiB


def resampled(counts: np.ndarray, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Yield the sums of counts over resamples of the images, or of random groups of them, in blocks of resamples.

    The same seed and number of images draw the same images. Sums of integers are exact, and therefore the same on
    every machine and for any number of threads.

    Args:
        counts: [N, ...], counts of each image.
        seed: of the draws.
        resamples: number of resamples.

    Yields:
        float64 [B, ...], the sums of B resamples.
    """
    images = len(counts)
    rows = counts.reshape(images, -1)
    generator = np.random.Generator(np.random.PCG64(seed))
    rows = (
        rows.astype(np.float64)
        if images <= RANDOM_GROUPS
        else _grouped(rows, generator.permutation(images) % RANDOM_GROUPS)
    )
    step = max(1, _NUMBERS // max(rows.shape))
    for start in range(0, resamples, step):
        draws = _draws(generator, len(rows), min(step, resamples - start))
        yield (draws @ rows).reshape(-1, *counts.shape[1:])


def _grouped(rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the sum of the rows [N, K] of each group, float64 [RANDOM_GROUPS, K], from the group of each row [N]."""
    sums = np.zeros((RANDOM_GROUPS, rows.shape[1]))
    for start in range(0, len(rows), _READ):
        read, of_read = np.asarray(rows[start : start + _READ]), group[start : start + _READ]
        for column, values in zip(sums.T, read.T, strict=True):
            column += np.bincount(of_read, values, RANDOM_GROUPS)
    return sums


def _draws(generator: np.random.Generator, images: int, resamples: int) -> np.ndarray:
    """Return the number of times that each image is drawn in each resample, float64 [resamples, images]."""
    drawn = generator.integers(images, size=(resamples, images))
    drawn += images * np.arange(resamples)[:, None]
    counted = np.bincount(drawn.ravel(), minlength=resamples * images)
    return counted.reshape(resamples, images).astype(np.float64)


def interval(
    counts: np.ndarray, metric: Metric, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval of a metric; with a few dozen images it is a little too narrow.

    Args:
        counts: [N, ...], counts of each image.
        metric: function of sums [B, ...] that returns float64 [B] or [B, M].
        seed: of the draws.
        resamples: number of resamples.
        level: share of resamples inside the interval.

    Returns:
        Low and high, each a scalar or [M]; NaN if no resample has a value. Resamples without a value are left out.
    """
    return _ends(np.concatenate([metric(sums) for sums in resampled(counts, seed, resamples)]), level)


def intervals(
    matrices: np.ndarray, names: Sequence[str], seed: int, resamples: int = 1000, level: float = 0.95
) -> dict[str, tuple[float | None, float | None]]:
    """Return the intervals of every headline figure and of each class's IoU.

    Args:
        matrices: int [N, C, C], one confusion matrix per image.
        names: the C classes' names.
        seed: of the draws.
        resamples: number of resamples.
        level: share of resamples inside the interval.

    Returns:
        Low and high by the names that `metrics.summary` uses, rounded to 6 digits; None if there is no value.
    """
    keys = [*HEADLINES, *(f"iou.{name}" for name in names)]
    ends = interval(matrices, headlines_and_ious, seed, resamples, level)
    return {key: (rounded(low), rounded(high)) for key, low, high in zip(keys, *ends, strict=True)}


def headlines_and_ious(matrices: np.ndarray) -> np.ndarray:
    """Return the figures of HEADLINES and then each class's IoU, float64 [..., 5 + C], of matrices [..., C, C]."""
    headlines = np.stack([metric(matrices) for metric in HEADLINES.values()], axis=-1)
    return np.concatenate([headlines, iou(matrices)], axis=-1)


def _ends(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    tail = (1 - level) / 2
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # a metric without any value gives NaN
        low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return low, high
