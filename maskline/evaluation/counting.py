"""Counts of a whole split, batch by batch, in a thread beside the prediction of the next batch."""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from maskline.evaluation.subject import Batch, Scored, Subject
from maskline.metrics.boundary import boundary_counts, trimap_counts
from maskline.metrics.calibration import calibration_counts
from maskline.metrics.confusion import confusion

_BEHIND = 2  # batches that the thread may lag


def count_split(subject: Subject, batch_size: int, counts: Mapping[str, np.ndarray]) -> None:
    """Predict every image of the split and fill `counts`, the arrays of `counts.new_counts`."""
    pending: deque[Future] = deque()
    with (
        ThreadPoolExecutor(1) as beside,
        tqdm(total=len(subject.reader), desc="predicting", unit=" images", disable=None) as bar,
    ):
        for batch in subject.batches(batch_size):
            pending.append(beside.submit(_count, counts, batch, subject.scored(batch)))
            if len(pending) > _BEHIND:
                pending.popleft().result()
            bar.update(len(batch.indices))
        for last in pending:
            last.result()


def _count(counts: Mapping[str, np.ndarray], batch: Batch, scored: Scored) -> None:
    classes = counts["void"].shape[1]
    for index, truth, prediction, confidence, uncertainty in zip(
        batch.indices, batch.labels, scored.labels, scored.confidence, scored.uncertainty, strict=True
    ):
        counts["matrices"][index], counts["void"][index] = confusion(truth, prediction, classes)
        counts["boundary"][index] = boundary_counts(truth, prediction, classes)
        counts["trimap"][index] = trimap_counts(truth, prediction)
        counts["calibration"][index], counts["confidence"][index] = calibration_counts(truth, prediction, confidence)
        counts["uncertainty"][index] = uncertainty.mean(dtype=np.float64)
