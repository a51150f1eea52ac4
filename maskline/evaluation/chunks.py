"""Counting the held-out splits: in this process, or in chunks on a cluster.

A chunk is predicted and counted as a whole split is, in the same batches, so that its rows are the same bytes. They are
put together in the order of the images.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import tensorflow as tf

from maskline.contracts.audit import HeldOut
from maskline.contracts.counts import Counts
from maskline.contracts.manifest import Manifest, Split
from maskline.engine.cores import tensorflow_threads
from maskline.engine.staging import staged
from maskline.engine.tasks import map_tasks
from maskline.evaluation.chunk import Chunk, Job, add_rows, count_chunk
from maskline.evaluation.counting import count_held_out
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.evaluation.suspects.collection import Collection
from maskline.files.artifacts import sha256
from maskline.params.evaluate import EvaluateParams

_ORDER: tuple[HeldOut, ...] = ("test", "validation")
_MOST = 512  # images in a chunk, whose rows are in memory

Splits = Mapping[HeldOut, PredictedSplit]


def count_here(splits: Splits, batch_size: int, counts: Counts, suspects: Collection) -> None:
    """Predict the held-out splits in this process, to fill the counts of the test images and the collection.

    Raises:
        ArtifactError: a shard was damaged after it was opened.
        InputError: a probability is NaN.
    """
    for role in _ORDER:
        count_held_out(role, splits[role], batch_size, counts, suspects.keep)


def count_in_chunks(
    splits: Splits,
    counts: Counts,
    suspects: Collection,
    out: Path,
    *,
    shards: Path,
    manifest: Manifest,
    model: Path,
    params: EvaluateParams,
    batch_size: int,
) -> None:
    """Do what `count_here` does with tasks, which the engine sends to other processes.

    Args:
        out: a folder in which the chunks' rows are kept until they are put together.
        shards: folder of shards.
        manifest: the folder's manifest.
        model: the .keras file.
        params: how to predict.

    Raises:
        InputError: a probability is NaN, or the cluster or the staging area cannot be used.
    """
    chunks = [chunk for role in _ORDER for chunk in _chunks(role, splits[role], manifest.splits[role], batch_size)]
    threads = tf.config.threading.get_intra_op_parallelism_threads() or tensorflow_threads()
    with staged(_files(splits, shards, manifest, model)) as area:
        job = Job(shards, manifest, model, sha256(model), params, batch_size, threads, out, area)
        count = partial(count_chunk, job=job)
        digests = map_tasks(count, chunks, lambda chunk: len(chunk.images), "predicting", None, threads)
        for chunk, digest in zip(chunks, digests, strict=True):
            area.bring(job.rows(chunk), digest)
            add_rows(job.rows(chunk), chunk, counts, suspects)
            job.rows(chunk).unlink()


def whole_batches(split: Split, batch_size: int) -> Iterator[range]:
    """Divide a split into ranges of whole batches: those that begin in one shard, or parts of them if they are many."""
    ends = np.cumsum([shard.examples for shard in split.shards])
    bounds = [0, *np.minimum(-(-ends // batch_size) * batch_size, split.examples).tolist()]
    step = max(1, _MOST // batch_size) * batch_size
    for start, stop in pairwise(bounds):
        for first in range(start, stop, step):
            yield range(first, min(first + step, stop))


def _chunks(role: HeldOut, split: PredictedSplit, listed: Split, batch_size: int) -> Iterator[Chunk]:
    originals = split.originals
    for images in whole_batches(listed, 1 if originals else batch_size):
        yield Chunk(role, images, originals.part(images) if originals else None)


def _files(splits: Splits, shards: Path, manifest: Manifest, model: Path) -> list[Path]:
    """Return the files that tasks read."""
    files = {model: None}
    for role, split in splits.items():
        files |= {shards / shard.file: None for shard in manifest.splits[role].shards}
        if split.originals:
            files |= {Path(example.record.path): None for example in split.originals.examples}
    return list(files)
