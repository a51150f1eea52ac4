"""The schedule plateau: a pure function of the history, so that a resumed run has the learning rates of a whole one."""

from collections.abc import Mapping, Sequence
from typing import Any

from maskline.params.train import PlateauParams
from maskline.training.schedule import Schedule


def follow_plateau(rate: Schedule, history: Sequence[Mapping[str, Any]], params: PlateauParams) -> None:
    """Set the schedule's scale for the epoch that follows the history; other schedules have none."""
    if rate.scale is not None:
        scores = [row["validation_mean_iou"] for row in history]
        rate.scale.assign(params.factor ** reductions(scores, params.patience))


def reductions(scores: Sequence[float], patience: int) -> int:
    """Return how often the learning rate is lowered: each time that `patience` epochs in a row bring no better score.

    Args:
        scores: of each epoch, higher is better.
        patience: epochs to wait, counted again from each lowering on.
    """
    best, waited, count = float("-inf"), 0, 0
    for score in scores:
        waited = 0 if score > best else waited + 1
        best = max(best, score)
        if waited == patience:
            waited, count = 0, count + 1
    return count
