"""From the prepared raw data set to a folder of shards, manifest and audit."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskline.contracts.audit import PATH as AUDIT
from maskline.contracts.classes import ROLES, VOID, Role
from maskline.contracts.manifest import Manifest, Origin, Shard, Split, write_manifest
from maskline.contracts.source import Source, read_source
from maskline.errors import InputError
from maskline.files.artifacts import new_directory
from maskline.files.records import write_record
from maskline.shards.raw import Raw, raw_examples
from maskline.shards.write.audit import audit
from maskline.shards.write.convert import Target
from maskline.shards.write.examples import write_examples
from maskline.shards.write.shard_statistics import ShardStatistics
from maskline.shards.write.shards import ShardTask, write_shards
from maskline.shards.write.splits import Example, stratified
from maskline.shards.write.survey import survey

Splits = dict[Role, list[Raw]]
Results = dict[Role, list[tuple[Shard, ShardStatistics]]]


class Choice(NamedTuple):
    """How examples are divided: at most `limit` a split, and the share of train held out for validation."""

    seed: int
    limit: int | None
    validation_fraction: float


def build_shards(
    raw: Path, out: Path, target: Target, examples_per_shard: int, choice: Choice, workers: int | None = None
) -> None:
    """Convert the data set in `raw` to TFRecord shards, manifest.json, audit.json and examples/ in `out`.

    The bytes are a function of the data and the arguments but `workers`, which defaults to every core.

    Raises:
        InputError: an example cannot be used, a split is empty, or a class is never seen in train.
    """
    source = read_source(raw)
    splits, left_out = _choose({role: _list(raw, source, role) for role in source.splits}, source, choice, workers)
    tasks = [task for role in ROLES for task in _tasks(role, splits[role], examples_per_shard)]
    with new_directory(out) as folder:
        written = write_shards(folder, tasks, source, target, workers)
        results: Results = {role: [] for role in ROLES}
        for task, result in zip(tasks, written, strict=True):
            results[task.role].append(result)
        manifest = _manifest(source, target, results)
        _check(manifest, written)
        write_manifest(folder, manifest)
        write_examples(folder, manifest, _names(results))
        counts = {role: [part for _, part in parts] for role, parts in results.items()}
        write_record(folder / AUDIT.name, audit(manifest, counts, source.left_out, left_out))


def _list(raw: Path, source: Source, role: Role) -> list[Raw]:
    folder, split = Path(raw) / source.name / source.version, source.splits[role]
    examples = raw_examples(raw, source, role)
    recorded = _recorded(folder / "dataset_info.json", split)
    if len(examples) != recorded:
        raise InputError(
            f"{folder} holds {len(examples)} examples of the split {split}, but its dataset_info.json records "
            f"{recorded}; run `dvc repro --force download`."
        )
    if not examples:
        raise InputError(f"{folder} has no examples in the split {split}; add some, or correct the split's list.")
    return examples


def _recorded(path: Path, split: str) -> int:
    """Return how many examples of a split download recorded: a file lost or cut between records leaves no trace."""
    try:
        infos = json.loads(path.read_bytes())["splits"]
        return sum(int(length) for info in infos if info["name"] == split for length in info["shardLengths"])
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro --force download`.") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is damaged; run `dvc repro --force download`.") from None


def _choose(listed: Splits, source: Source, choice: Choice, workers: int | None) -> tuple[Splits, dict[Role, int]]:
    """Hold out a validation split where there is none, then keep at most `limit` examples of each split."""
    splits = dict(listed)
    limit = choice.limit or max(map(len, splits.values()))
    if "validation" in splits and all(len(raws) <= limit for raws in splits.values()):
        return splits, dict.fromkeys(ROLES, 0)
    flat = [raw for raws in listed.values() for raw in raws]
    examples = dict(zip(flat, survey(flat, source, workers), strict=True))
    if "validation" not in splits:
        splits |= _hold_out(splits["train"], examples, choice)
    kept = {role: _subset(splits[role], examples, limit, choice.seed) for role in ROLES}
    return kept, {role: len(splits[role]) - len(kept[role]) for role in ROLES}


def _hold_out(train: list[Raw], examples: dict[Raw, Example], choice: Choice) -> Splits:
    if len(train) < 2:
        raise InputError(
            f"train has {len(train)} example, too few to hold out a validation split; "
            "add images, or give the source a validation split."
        )
    count = max(1, round(len(train) * choice.validation_fraction))
    held = set(_subset(train, examples, count, choice.seed, leave_one=True))
    return {"train": [raw for raw in train if raw not in held], "validation": [raw for raw in train if raw in held]}


def _subset(raws: list[Raw], examples: dict[Raw, Example], count: int, seed: int, leave_one: bool = False) -> list[Raw]:
    return [raws[index] for index in stratified([examples[raw] for raw in raws], count, seed, leave_one)]


def _tasks(role: Role, raws: Sequence[Raw], size: int) -> list[ShardTask]:
    total = -(-len(raws) // size)
    return [
        ShardTask(f"{role}-{shard:05d}-of-{total:05d}.tfrecord", role, raws[shard * size : (shard + 1) * size])
        for shard in range(total)
    ]


def _manifest(source: Source, target: Target, results: Results) -> Manifest:
    return Manifest(
        format=1,
        source=Origin(name=source.name, version=source.version),
        height=target.height,
        width=target.width,
        encoding=target.encoding,
        void_label=VOID,
        classes=source.classes,
        splits={
            role: Split(
                examples=sum(shard.examples for shard, _ in parts),
                pixels=_total(counts.pixels for _, counts in parts),
                images_with_class=_total(counts.images_with_class for _, counts in parts),
                void_pixels=sum(counts.void_pixels for _, counts in parts),
                shards=[shard for shard, _ in parts],
            )
            for role, parts in results.items()
        },
    )


def _total(vectors: Iterable[np.ndarray]) -> list[int]:
    return np.sum(list(vectors), axis=0).tolist()


def _names(results: Results) -> dict[Role, list[list[str]]]:
    """Return the examples' names by split and shard; counts hold them as split/name."""
    return {
        role: [[name.removeprefix(f"{role}/") for name in counts.names] for _, counts in parts]
        for role, parts in results.items()
    }


def _check(manifest: Manifest, written: Sequence[tuple[Shard, ShardStatistics]]) -> None:
    """Refuse data that cannot be learned from, or whose examples cannot be told apart."""
    pixels = manifest.splits["train"].pixels
    unseen = [c.name for c, count in zip(manifest.classes, pixels, strict=True) if not count]
    if unseen:
        raise InputError(
            f"{manifest.source.name} never shows {', '.join(unseen)} in its {manifest.splits['train'].examples} train "
            "images; raise dataset.limit, correct the masks, or take the name out of dataset.classes."
        )
    name, times = Counter(name for _, counts in written for name in counts.names).most_common(1)[0]
    if times > 1:
        raise InputError(f"{manifest.source.name} has {times} examples named {name}; give each a name of its own.")
