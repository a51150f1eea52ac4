"""A chunk: consecutive images of a held-out split, in whole batches, which a task predicts and counts."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maskline.contracts.audit import HeldOut
from maskline.contracts.counts import Counts, zero_counts
from maskline.contracts.manifest import Manifest
from maskline.engine.allocator import keep_freed_memory
from maskline.engine.staging import Area
from maskline.errors import ArtifactError, InputError
from maskline.evaluation.counting import count_held_out
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.evaluation.splits import predicting
from maskline.evaluation.suspects.collection import Candidates, Collection
from maskline.files.artifacts import npz_bytes, sha256
from maskline.metrics.boundary import TRIMAP_DISTANCES
from maskline.metrics.calibration import BINS
from maskline.models.files import load_model
from maskline.params.evaluate import EvaluateParams
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.shards.read.originals import Originals, copied
from maskline.shards.read.reader import ShardReader, shards_with


class Job(NamedTuple):
    """What all chunks have in common.

    Attributes:
        shards: folder of shards.
        manifest: the folder's manifest.
        model: the .keras file.
        sha256: of that file.
        params: how to predict.
        batch_size: images predicted at once.
        threads: over which TensorFlow divides an operation, because its sums depend on them.
        out: the folder of the chunks' rows.
        area: where tasks find these files.
    """

    shards: Path
    manifest: Manifest
    model: Path
    sha256: str
    params: EvaluateParams
    batch_size: int
    threads: int
    out: Path
    area: Area

    def rows(self, chunk: "Chunk") -> Path:
        """Return the file of a chunk's rows."""
        return self.out / f"{chunk.role}-{chunk.images.start}.npz"


class Chunk(NamedTuple):
    """Consecutive images of a split.

    Attributes:
        images: their positions in the split.
        originals: the same images at their own size, if they are scored there.
    """

    role: HeldOut
    images: range
    originals: Originals | None


def count_chunk(chunk: Chunk, job: Job) -> str:
    """Write a chunk's rows, and return the SHA-256 of their file.

    Raises:
        InputError: a probability is NaN, or a file reached this process damaged.
    """
    found: list[Candidates] = []
    with _opened(chunk, job) as split:
        counts = zero_counts(split.reader.names, len(job.manifest.classes), len(TRIMAP_DISTANCES), BINS)
        count_held_out(chunk.role, split, job.batch_size, counts, found.append)
    with job.area.writing(job.rows(chunk)) as file:
        file.write_bytes(npz_bytes(_rows(chunk, counts, found)))
        return sha256(file)


def add_rows(file: Path, chunk: Chunk, counts: Counts, suspects: Collection) -> None:
    """Add the rows of a chunk to the counts of the test images and to the collection."""
    with np.load(file) as rows:
        if chunk.role == "test":
            part = slice(chunk.images.start, chunk.images.stop)
            for name, values in counts._asdict().items():
                if name != "filenames":
                    values[part] = rows[name]
        regions = rows["regions"]
        for index, sums, pixels in zip(chunk.images, rows["sums"], rows["pixels"], strict=True):
            suspects.keep(Candidates(sums, pixels, regions[regions["image"] == index]))


def _rows(chunk: Chunk, counts: Counts, found: Sequence[Candidates]) -> dict[str, np.ndarray]:
    sums, pixels, regions = zip(*found, strict=True)
    rows = {"sums": np.stack(sums), "pixels": np.stack(pixels), "regions": np.concatenate(regions)}
    rows["regions"]["image"] += chunk.images.start
    if chunk.role == "test":
        rows |= {name: values for name, values in counts._asdict().items() if name != "filenames"}
    return rows


@contextlib.contextmanager
def _opened(chunk: Chunk, job: Job) -> Iterator[PredictedSplit]:
    """Yield the images of a chunk and their predictor, until the block ends.

    Raises:
        InputError: a copy differs from the file that was sent.
    """
    runtime = _runtime(job.model, job.sha256, job.area, job.threads)
    shards, _ = shards_with(job.manifest.splits[chunk.role], chunk.images)
    with (
        _sent(job.area),
        job.area.copies(job.shards, [shard.file for shard in shards]) as folder,
        copied(chunk.originals, job.area) if chunk.originals else contextlib.nullcontext() as originals,
    ):
        reader = ShardReader(folder, job.manifest, chunk.role, chunk.images)
        yield predicting(runtime, job.manifest, job.params)(reader, originals)


@functools.lru_cache(maxsize=1)
def _runtime(path: Path, digest: str, area: Area, threads: int) -> KerasRuntime:
    """Return the model, which each process loads and traces once."""
    keep_freed_memory()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.set_visible_devices([], "GPU")  # or nodes with a GPU would round differently from those without
    tf.config.experimental.enable_op_determinism()
    with _sent(area), area.copies(path.parent, [path.name]) as folder:
        if sha256(folder / path.name) != digest:
            raise ArtifactError(path, "is another model: its SHA-256 differs")
        return KerasRuntime(load_model(folder / path.name), path)


@contextlib.contextmanager
def _sent(area: Area) -> Iterator[None]:
    """Within the block, a damaged file is a copy, whose original the driver has checked."""
    try:
        yield
    except ArtifactError as error:
        if area.url is None:
            raise
        raise InputError(f"the copy of {error.path.name} in {area.url} {error.reason}; run again.") from None
