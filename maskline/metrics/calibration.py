"""Calibration: whether pixels predicted with confidence 0.8 are correct in 8 of 10 cases (Guo et al., ICML 2017).

The confidence is the probability of a pixel's predicted class. It falls into one of K bins of equal width, closed
above: bin k is (k / K, (k + 1) / K]. The first bin also holds 0.
"""

import numpy as np

from maskline.contracts.classes import VOID
from maskline.metrics.scores import ratio

BINS = 15  # as in the paper


def calibration_counts(
    truth: np.ndarray, prediction: np.ndarray, confidence: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray]:
    """Count an image's valid pixels by confidence.

    Args:
        truth: uint8 [H, W] of classes or void.
        prediction: uint8 [H, W] of classes.
        confidence: float [H, W] in 0..1; values slightly above 1 from float32 rounding count as 1.
        bins: K.

    Returns:
        int64 [K, 2]: pixels, and correct pixels; float64 [K]: the sum of the pixels' confidences.

    Raises:
        ValueError: a confidence is NaN or infinite.
    """
    with np.errstate(invalid="ignore"):  # NaN and infinity are detected below
        cells = np.ceil(confidence * bins).astype(np.intp)
    np.clip(cells, 1, bins, out=cells)
    cells *= 2
    cells += truth == prediction
    cells[truth == VOID] = 0
    cells = cells.ravel()
    size = 2 * bins + 2
    counts = np.bincount(cells, minlength=size).reshape(-1, 2)[1:]
    sums = np.bincount(cells, confidence.ravel(), minlength=size).reshape(-1, 2)
    if not np.isfinite(sums).all():
        raise ValueError(f"Confidence must be a number everywhere. Received: {sums[~np.isfinite(sums)][0]}")
    return np.stack([counts.sum(axis=-1), counts[:, 1]], axis=-1), sums[1:].sum(axis=-1)


def expected_calibration_error(counts: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return the mean distance of accuracy from confidence over the bins, weighted by their pixels.

    Args:
        counts: [..., K, 2], pixels and correct pixels.
        confidence: [..., K], the sum of the pixels' confidences.

    Returns:
        float64 [...]; NaN if there are no pixels.
    """
    return ratio(np.abs(counts[..., 1] - confidence).sum(axis=-1), counts[..., 0].sum(axis=-1))


def reliability(counts: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the reliability diagram: mean confidence and accuracy of each bin.

    Args:
        counts: [K, 2], pixels and correct pixels.
        confidence: [K], the sum of the pixels' confidences.

    Returns:
        Two float64 [K]; NaN for an empty bin.
    """
    pixels, correct = counts[:, 0], counts[:, 1]
    return ratio(confidence, pixels), ratio(correct, pixels)


def bin_middles(bins: int) -> np.ndarray:
    """Return the middle of each bin, float64 [K]."""
    return (np.arange(bins) + 0.5) / bins
