"""The figures of evaluation.json, from the counts of a split."""

from collections.abc import Callable, Sequence

import numpy as np

from maskline.contracts.counts import Counts
from maskline.contracts.evaluation import HEADLINES, Evaluation, Interval
from maskline.metrics.bootstrap import interval, intervals
from maskline.metrics.boundary import boundary_iou
from maskline.metrics.calibration import expected_calibration_error
from maskline.metrics.conventions import conventions
from maskline.metrics.scores import mean_over_classes, rounded, summary

RESAMPLES = 1000

Figures = dict[str, int | float | None]


def evaluation(counts: Counts, names: Sequence[str], batch_size: int, seed: int) -> Evaluation:
    """Return all figures of a split, their intervals, and the conventions of others.

    Args:
        counts: of the split.
        names: of the classes.
        batch_size: images in a batch, for the conventions that average over batches.
        seed: of the bootstrap.
    """
    figures = deciding_figures(counts, names) | explaining_figures(counts, names)
    return Evaluation.model_validate(
        {key: figures[key] for key in _keys_in_order(counts, names)}
        | {
            "interval": figure_intervals(counts, names, seed),
            "conventions": conventions(counts.matrices, counts.void, batch_size),
        }
    )


def deciding_figures(counts: Counts, names: Sequence[str]) -> Figures:
    """Return the figures that people decide by: the number of images, the headline figures, the IoU of each class."""
    figures: Figures = summary(counts.matrices, names)
    figures["boundary_iou"] = rounded(mean_over_classes(_boundary_iou(counts)))
    figures["expected_calibration_error"] = rounded(_calibration_error(_calibration(counts).sum(axis=0)))
    return {key: figures[key] for key in ("images", *HEADLINES, *(f"iou.{name}" for name in names))}


def explaining_figures(counts: Counts, names: Sequence[str]) -> Figures:
    """Return the other figures of each class: Dice, precision, recall, true pixels and boundary IoU."""
    prefixes = ("dice.", "precision.", "recall.", "pixels.")
    figures = {key: value for key, value in summary(counts.matrices, names).items() if key.startswith(prefixes)}
    boundary = zip(names, _boundary_iou(counts), strict=True)
    return figures | {f"boundary_iou.{name}": rounded(value) for name, value in boundary}


def figure_intervals(counts: Counts, names: Sequence[str], seed: int) -> dict[str, Interval]:
    """Return the 95 % intervals of the headline figures and of the IoU of each class, by bootstrap over the images."""
    ends = intervals(counts.matrices, names, seed, RESAMPLES)
    ends["boundary_iou"] = _ends(counts.boundary, lambda sums: mean_over_classes(boundary_iou(sums)), seed)
    ends["expected_calibration_error"] = _ends(_calibration(counts), _calibration_error, seed)
    return {key: Interval(low=low, high=high) for key, (low, high) in ends.items()}


def _keys_in_order(counts: Counts, names: Sequence[str]) -> list[str]:
    """Return the keys in the order of evaluation.json."""
    of_matrices = summary(counts.matrices[:1], names)
    return [*of_matrices, "boundary_iou", "expected_calibration_error", *(f"boundary_iou.{name}" for name in names)]


def _boundary_iou(counts: Counts) -> np.ndarray:
    return boundary_iou(counts.boundary.sum(axis=0))


def _ends(
    counts: np.ndarray, metric: Callable[[np.ndarray], np.ndarray], seed: int
) -> tuple[float | None, float | None]:
    low, high = interval(counts, metric, seed, RESAMPLES)
    return rounded(low), rounded(high)


def _calibration(counts: Counts) -> np.ndarray:
    """Return pixels, right ones and confidence side by side, float64 [N, K, 3]."""
    return np.concatenate([counts.calibration, counts.confidence[..., None]], axis=-1)


def _calibration_error(sums: np.ndarray) -> np.ndarray:
    return expected_calibration_error(sums[..., :2], sums[..., 2])
