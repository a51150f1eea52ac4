"""Counting a split batch by batch, in a thread that works while the next batch is predicted."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
from tqdm import tqdm

from maskline.contracts.audit import HeldOut
from maskline.contracts.counts import Counts
from maskline.evaluation.predicted_split import Batch, PredictedLabels, PredictedSplit
from maskline.evaluation.suspects.collection import Candidates
from maskline.evaluation.suspects.writing import collect_batch, collect_split
from maskline.metrics.boundary import boundary_counts, trimap_counts
from maskline.metrics.calibration import calibration_counts
from maskline.metrics.confusion import confusion
from maskline.shards.read.batches import readers_errors

_BEHIND = 2  # batches that may wait for the thread


Also = Callable[[Batch, PredictedLabels], None]


def count_split(split: PredictedSplit, batch_size: int, counts: Counts, also: Also | None = None) -> None:
    """Predict every image of the split and fill `counts`, which `new_counts` made.

    Args:
        also: what else to do with each batch and its prediction, in order.
    """
    pending: deque[Future] = deque()
    with (
        ThreadPoolExecutor(1) as thread,
        tqdm(total=len(split.reader), desc="predicting", unit=" images", disable=None) as bar,
    ):
        for batch in split.batches(batch_size):
            pending.append(thread.submit(_count, counts, batch, split.predict(batch), also))
            if len(pending) > _BEHIND:
                pending.popleft().result()
            bar.update(len(batch.indices))
        for last in pending:
            last.result()


def count_held_out(
    role: HeldOut, split: PredictedSplit, batch_size: int, counts: Counts, keep: Callable[[Candidates], None]
) -> None:
    """Predict a held-out split, or a part of it: fill the counts of test images, and keep the candidates of all.

    Raises:
        ArtifactError: a shard was damaged after it was opened.
        InputError: a probability is NaN.
    """
    classes = counts.void.shape[1]
    with readers_errors():
        if role == "test":
            count_split(split, batch_size, counts, partial(collect_batch, keep, role, classes))
        else:
            collect_split(keep, role, classes, split, batch_size)


def _count(counts: Counts, batch: Batch, predicted: PredictedLabels, also: Also | None) -> None:
    if also:
        also(batch, predicted)
    classes = counts.void.shape[1]
    for index, content, *maps in zip(
        batch.indices,
        batch.contents,
        batch.labels,
        predicted.labels,
        predicted.confidence,
        predicted.uncertainty,
        strict=True,
    ):
        truth, prediction, confidence, uncertainty = (values[content] for values in maps)
        counts.matrices[index], counts.void[index] = confusion(truth, prediction, classes)
        counts.boundary[index] = boundary_counts(truth, prediction, classes)
        counts.trimap[index] = trimap_counts(truth, prediction)
        counts.calibration[index], counts.confidence[index] = calibration_counts(truth, prediction, confidence)
        counts.uncertainty[index] = uncertainty.mean(dtype=np.float64)
