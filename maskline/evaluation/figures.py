"""Every figure of the test split, from the counts of its images."""

from collections.abc import Callable, Sequence

import numpy as np

from maskline.contracts.about import About
from maskline.contracts.counts import Counts
from maskline.contracts.figures import HEADLINES, Figures
from maskline.contracts.tables import ClassRow, ConventionRow, HeadlineRow
from maskline.metrics.bootstrap import interval, intervals
from maskline.metrics.boundary import boundary_iou
from maskline.metrics.calibration import expected_calibration_error
from maskline.metrics.conventions import conventions
from maskline.metrics.scores import mean_over_classes, rounded, summary

RESAMPLES = 1000

Ends = tuple[float | None, float | None]


def figures(counts: Counts, about: About, batch_size: int, seed: int) -> Figures:
    """Return all figures of a split, their 95 % intervals by bootstrap over the images, and the conventions of others.

    Args:
        counts: of the split.
        about: of these counts.
        batch_size: images in a batch, for the conventions that average over batches.
        seed: of the bootstrap.
    """
    ends = _intervals(counts, about.classes, seed)
    others = conventions(counts.matrices, counts.void, batch_size)
    return Figures(
        test_split=about.test_split,
        resolution=about.resolution,
        images=len(counts.matrices),
        headlines=_headline_rows(counts, about.classes, ends),
        classes=_class_rows(counts, about.classes, ends),
        conventions=[ConventionRow(convention=name, value=value) for name, value in others.items()],
    )


def _headline_rows(counts: Counts, names: Sequence[str], ends: dict[str, Ends]) -> list[HeadlineRow]:
    values = summary(counts.matrices, names) | {
        "boundary_iou": rounded(mean_over_classes(_boundary_iou(counts))),
        "expected_calibration_error": rounded(_calibration_error(_calibration(counts).sum(axis=0))),
    }
    return [HeadlineRow(figure=key, value=values[key], low=ends[key][0], high=ends[key][1]) for key in HEADLINES]


def _class_rows(counts: Counts, names: Sequence[str], ends: dict[str, Ends]) -> list[ClassRow]:
    values = summary(counts.matrices, names)
    return [
        ClassRow.model_validate(
            {figure: values[f"{figure}.{name}"] for figure in ("iou", "dice", "precision", "recall", "pixels")}
            | dict(zip(("low", "high"), ends[f"iou.{name}"], strict=True))
            | {"name": name, "boundary_iou": rounded(boundary)}
        )
        for name, boundary in zip(names, _boundary_iou(counts), strict=True)
    ]


def _intervals(counts: Counts, names: Sequence[str], seed: int) -> dict[str, Ends]:
    """Return the ends of the intervals of the headline figures and of each class's IoU, as `iou.<class>`."""
    return intervals(counts.matrices, names, seed, RESAMPLES) | {
        "boundary_iou": _ends(counts.boundary, lambda sums: mean_over_classes(boundary_iou(sums)), seed),
        "expected_calibration_error": _ends(_calibration(counts), _calibration_error, seed),
    }


def _boundary_iou(counts: Counts) -> np.ndarray:
    return boundary_iou(counts.boundary.sum(axis=0))


def _ends(counts: np.ndarray, metric: Callable[[np.ndarray], np.ndarray], seed: int) -> Ends:
    low, high = interval(counts, metric, seed, RESAMPLES)
    return rounded(low), rounded(high)


def _calibration(counts: Counts) -> np.ndarray:
    """Return pixels, right ones and confidence side by side, float64 [N, K, 3]."""
    return np.concatenate([counts.calibration, counts.confidence[..., None]], axis=-1)


def _calibration_error(sums: np.ndarray) -> np.ndarray:
    return expected_calibration_error(sums[..., :2], sums[..., 2])
