"""Preprocess: write a folder of shards, manifest and audit from the prepared source."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from maskline.contracts.audit import PATH as AUDIT
from maskline.contracts.classes import ROLES, VOID, Role
from maskline.contracts.groups import PATH as GROUPS
from maskline.contracts.groups import read_groups
from maskline.contracts.manifest import Fold, Manifest, Origin, Shard, Split, write_manifest
from maskline.contracts.source import Source, read_source
from maskline.engine.staging import staged
from maskline.errors import ArtifactError, InputError
from maskline.files.artifacts import new_directory
from maskline.files.records import write_record
from maskline.shards.source_examples import Examples, list_examples
from maskline.shards.write.audit import audit, audit_groups
from maskline.shards.write.choice import SplitOptions, Splits, choose, group_of_each, left_out_by_folds
from maskline.shards.write.convert import Target
from maskline.shards.write.examples import write_examples
from maskline.shards.write.neighbors import write_neighbors
from maskline.shards.write.shard_statistics import ShardStatistics
from maskline.shards.write.shards import ShardTask, write_shards

Results = dict[Role, list[tuple[Shard, ShardStatistics]]]


def build_shards(
    raw: Path, out: Path, target: Target, examples_per_shard: int, options: SplitOptions, workers: int | None = None
) -> None:
    """Convert the data set in `raw` to TFRecord shards, manifest.json, audit.json and examples/ in `out`.

    The bytes depend on the data and on all arguments except `workers`, which defaults to the number of cores.

    Raises:
        ArtifactError: a file in `raw` is missing or damaged.
        InputError: an example cannot be used, a split is empty or all void, a name repeats, or train lacks a class and
            `options` refuse that.
    """
    source = read_source(raw)
    listed: Splits = {role: _list(raw, source, role) for role in source.splits}
    groups = read_groups(raw)
    of_each = {} if groups is None else group_of_each(listed, groups, Path(raw) / GROUPS.name)
    files = [file for role in source.splits for file in source.files(raw, role)]
    with staged(files) as area, new_directory(out) as folder:
        chosen = choose(listed, source, of_each, options, workers, area)
        tasks = [task for role in ROLES for task in _tasks(role, chosen.splits[role], examples_per_shard)]
        written = write_shards(folder, tasks, source, target, workers, area)
        results: Results = {role: [] for role in ROLES}
        for task, result in zip(tasks, written, strict=True):
            results[task.role].append(result)
        manifest = _manifest(source, target, results, options)
        names = _names(results)
        _check(manifest, names)
        if options.unseen == "refuse":
            _refuse_unseen(manifest)
        write_manifest(folder, manifest)
        write_examples(folder, manifest, names)
        counts = {role: [part for _, part in parts] for role, parts in results.items()}
        grouped = None if groups is None else audit_groups(chosen.groups, groups.unused)
        by_folds = left_out_by_folds(source, options, listed)
        audited = audit(manifest, counts, source.left_out, chosen.left_out, source.annotations, grouped, by_folds)
        write_record(folder / AUDIT.name, audited)
        write_neighbors(folder, manifest, names, audited.leakage)


def _list(raw: Path, source: Source, role: Role) -> Examples:
    folder, split = Path(raw) / source.name / source.version, source.splits[role]
    examples = list_examples(raw, source, role)
    recorded = _recorded(folder / "dataset_info.json", split)
    if len(examples) != recorded:
        raise ArtifactError(
            folder,
            f"holds {len(examples)} examples of the split {split}, but its dataset_info.json records {recorded}",
        )
    if not examples:
        raise InputError(f"{folder} has no examples in the split {split}; add some, or correct the split's list.")
    return examples


def _recorded(path: Path, split: str) -> int:
    """Return the recorded number of examples of a split, which reveals a lost file or one cut between records."""
    try:
        infos = json.loads(path.read_bytes())["splits"]
        return sum(int(length) for info in infos if info["name"] == split for length in info["shardLengths"])
    except FileNotFoundError:
        raise ArtifactError(path, "is missing") from None
    except (ValueError, KeyError, TypeError):
        raise ArtifactError(path, "is damaged") from None


def _tasks(role: Role, examples: Examples, size: int) -> list[ShardTask]:
    total = -(-len(examples) // size)
    return [
        ShardTask(f"{role}-{shard:05d}-of-{total:05d}.tfrecord", role, examples[shard * size : (shard + 1) * size])
        for shard in range(total)
    ]


def _manifest(source: Source, target: Target, results: Results, options: SplitOptions) -> Manifest:
    return Manifest(
        format=1,
        source=Origin(name=source.name, version=source.version),
        height=target.height,
        width=target.width,
        fit=target.fit,
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
        fold=None if options.folds is None else Fold(number=options.fold, of=options.folds),
    )


def _total(vectors: Iterable[np.ndarray]) -> list[int]:
    return np.sum(list(vectors), axis=0).tolist()


def _names(results: Results) -> dict[Role, list[list[str]]]:
    """Return the examples' names by split and shard."""
    return {role: [counts.names for _, counts in parts] for role, parts in results.items()}


def _check(manifest: Manifest, names: Mapping[Role, Sequence[Sequence[str]]]) -> None:
    """Raise InputError if a split is all void, or two examples of a split have one name."""
    for role, split in manifest.splits.items():
        if not any(split.pixels):
            of, remedy = _cropped(manifest)
            raise InputError(
                f"{manifest.source.name} has only void pixels in {of}its {split.examples} {role} images; correct its "
                f"masks{remedy}, or take values out of dataset.void."
            )
    repeated = [found for role, shards in names.items() if (found := _most_repeated(role, shards))]
    if repeated:
        times, name = max(repeated, key=lambda found: found[0])
        raise InputError(f"{manifest.source.name} has {times} examples named {name}; give each its own name.")


def _most_repeated(role: Role, shards: Sequence[Sequence[str]]) -> tuple[int, str] | None:
    """Return how often the most frequent name of a split occurs, and the name with its split; None if none repeats."""
    if len({name for shard in shards for name in shard}) == sum(map(len, shards)):
        return None
    name, times = Counter(name for shard in shards for name in shard).most_common(1)[0]
    return times, f"{role}/{name}"


def _refuse_unseen(manifest: Manifest) -> None:
    """Raise InputError if a class does not appear in train."""
    pixels = manifest.splits["train"].pixels
    unseen = [c.name for c, count in zip(manifest.classes, pixels, strict=True) if not count]
    if unseen:
        of, remedy = _cropped(manifest)
        raise InputError(
            f"{manifest.source.name} has no pixel of {', '.join(unseen)} in {of}its "
            f"{manifest.splits['train'].examples} train images; raise dataset.limit, correct the masks{remedy}, remove "
            "the class from dataset.classes, or set dataset.unseen to allow."
        )


def _cropped(manifest: Manifest) -> tuple[str, str]:
    """Return the words of a message on what crop keeps of images, and on what to do then; both empty otherwise."""
    return ("what is kept of ", ", set preprocess.fit to pad") if manifest.fit == "crop" else ("", "")
