"""Writing TFRecord shards from source examples; each task writes one shard."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from maskline.contracts.classes import Role
from maskline.contracts.manifest import Shard
from maskline.contracts.source import Source
from maskline.engine.staging import LOCAL, Area
from maskline.engine.tasks import map_tasks
from maskline.shards.source_examples import Examples, example_name, read_features
from maskline.shards.tfrecord import frame
from maskline.shards.write.convert import Target, convert
from maskline.shards.write.problems import collected, raise_if_any
from maskline.shards.write.shard_statistics import ShardStatistics


@dataclass(frozen=True)
class ShardTask:
    """One shard to write: its file name, its split and its examples."""

    file: str
    role: Role
    examples: Examples


def write_shards(
    folder: Path,
    tasks: Sequence[ShardTask],
    source: Source,
    target: Target,
    workers: int | None = None,
    area: Area = LOCAL,
) -> list[tuple[Shard, ShardStatistics]]:
    """Write each task's shard into `folder`; the bytes do not depend on the number of workers or on where they run.

    Raises:
        InputError: an example cannot be used; the message names it.
    """
    write = partial(_write_shard, folder=folder, source=source, target=target, area=area)
    written = map_tasks(write, tasks, lambda task: len(task.examples), "writing shards", workers)
    for shard, _ in written:
        area.bring(folder / shard.file, shard.sha256)
    return written


def _write_shard(
    task: ShardTask, folder: Path, source: Source, target: Target, area: Area
) -> tuple[Shard, ShardStatistics]:
    classes = len(source.classes)
    statistics = ShardStatistics(np.zeros(classes, np.int64), np.zeros(classes, np.int64))
    digest, size = hashlib.sha256(), 0
    problems: list[str] = []
    with area.writing(Path(folder) / task.file) as place, open(place, "wb") as file:
        for example, features in read_features(task.examples, source, area):
            with collected(problems):
                data = frame(convert(example, features, source, target, statistics))
                statistics.names.append(example_name(example, features, source))
                file.write(data)
                digest.update(data)
                size += len(data)
        raise_if_any(problems)
    return Shard(file=task.file, examples=len(task.examples), bytes=size, sha256=digest.hexdigest()), statistics
