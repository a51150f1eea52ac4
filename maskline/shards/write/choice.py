"""The examples of each split: a fold, validation held out, and subsets within dataset.limit, all in whole groups."""

from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

from maskline.contracts.classes import ROLES, Role
from maskline.contracts.groups import Groups
from maskline.contracts.source import Source
from maskline.engine.staging import LOCAL, Area
from maskline.errors import ArtifactError, InputError
from maskline.shards.source_examples import SourceExample
from maskline.shards.write.folds import fold_of_each
from maskline.shards.write.group_splits import stratified_groups
from maskline.shards.write.splits import ClassPresence, stratified
from maskline.shards.write.survey import survey

Splits = dict[Role, list[SourceExample]]
GroupOf = dict[SourceExample, str]  # empty without dataset.group


class SplitOptions(NamedTuple):
    """How splits are made, and what they must show.

    Attributes:
        seed: of the choices.
        limit: the largest number of examples in a split; None: all.
        validation_fraction: the share of train held out for validation.
        unseen: whether a class that train never shows is refused.
        folds: number of folds that the images are divided into; None: the source's splits are used.
        fold: which of them is the test split, from 1.
    """

    seed: int
    limit: int | None
    validation_fraction: float
    unseen: Literal["refuse", "allow"] = "refuse"
    folds: int | None = None
    fold: int = 1


def group_of_each(listed: Splits, groups: Groups, path: Path) -> GroupOf:
    """Return the group of each listed example; `path` is the groups' file, for its errors.

    Raises:
        ArtifactError: the groups are not those of the examples.
    """
    found: GroupOf = {}
    for role, examples in listed.items():
        if role not in groups.splits or len(groups.splits[role]) != len(examples):
            raise ArtifactError(path, f"does not list the {len(examples)} examples of {role}")
        if max(groups.splits[role]) >= len(groups.names):
            raise ArtifactError(path, f"is damaged: {role} has a group that has no name")
        found |= dict(zip(examples, groups.of(role), strict=True))
    return found


def choose(
    listed: Splits,
    source: Source,
    group_of: GroupOf,
    options: SplitOptions,
    workers: int | None,
    area: Area = LOCAL,
) -> tuple[Splits, dict[Role, int]]:
    """Return the examples of each split, after holding out validation and applying `limit`, and how many that drops.

    With folds, `limit` applies to all the images that they divide, and what it drops counts for the source's split.

    Raises:
        InputError: there are too few examples or groups to hold out or to divide, a limit below the smallest group, or
            two examples to divide with one name.
    """
    if options.folds is not None:
        return _choose_folds(listed, source, group_of, options, options.folds, workers, area)
    splits = dict(listed)
    limit = options.limit or max(map(len, splits.values()))
    if "validation" in splits and all(len(examples) <= limit for examples in splits.values()):
        return splits, dict.fromkeys(ROLES, 0)
    flat = [example for examples in listed.values() for example in examples]
    presences = dict(zip(flat, survey(flat, source, workers, area), strict=True))
    if "validation" not in splits:
        splits |= _hold_out(splits["train"], presences, group_of, options)
    kept = {role: _limited(role, splits[role], presences, group_of, limit, options.seed) for role in ROLES}
    return kept, {role: len(splits[role]) - len(kept[role]) for role in ROLES}


def left_out_by_folds(source: Source, options: SplitOptions, listed: Splits) -> int | None:
    """Return the number of images of the source's own test split, which folds leave out; None without folds."""
    if options.folds is None:
        return None
    return 0 if source.test_is_held_out else len(listed["test"])


def _choose_folds(
    listed: Splits,
    source: Source,
    group_of: GroupOf,
    options: SplitOptions,
    folds: int,
    workers: int | None,
    area: Area,
) -> tuple[Splits, dict[Role, int]]:
    roles = [role for role in ROLES if role in listed and (role != "test" or source.test_is_held_out)]
    pool = [example for role in roles for example in listed[role]]
    presences = dict(zip(pool, survey(pool, source, workers, area), strict=True))
    _refuse_repeated(presences)
    kept = _limited("the images to divide", pool, presences, group_of, options.limit or len(pool), options.seed)
    names = [group_of.get(example, presences[example].name) for example in kept]
    if len(set(names)) < folds:
        kind = "group" if group_of else "image"
        raise InputError(
            f"there are {len(set(names))} {kind}s to divide into folds, and each fold needs one; "
            f"lower dataset.folds, or add images. Received: {folds}"
        )
    numbers = fold_of_each([presences[example] for example in kept], names, folds, options.seed)
    test = [example for example, number in zip(kept, numbers, strict=True) if number + 1 == options.fold]
    rest = [example for example, number in zip(kept, numbers, strict=True) if number + 1 != options.fold]
    splits = _hold_out(rest, presences, group_of, options) | {"test": test}
    dropped = set(pool) - set(kept)
    return splits, {role: sum(example in dropped for example in listed.get(role, [])) for role in ROLES}


def _refuse_repeated(presences: dict[SourceExample, ClassPresence]) -> None:
    name, times = Counter(presence.name for presence in presences.values()).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"dataset.folds divides the images of several splits, and {times} of them are named {name}; "
            "give each its own name, or set dataset.folds to null."
        )


def _hold_out(
    train: list[SourceExample],
    presences: dict[SourceExample, ClassPresence],
    group_of: GroupOf,
    options: SplitOptions,
) -> Splits:
    if len(train) < 2:
        raise InputError(
            f"train has {len(train)} example, too few to hold out a validation split; "
            "add images, or give the source a validation split."
        )
    count = max(1, round(len(train) * options.validation_fraction))
    if group_of:
        held = set(_held_out_groups(train, presences, group_of, count, options.seed))
    else:
        held = set(_subset(train, presences, count, options.seed, leave_one=True))
    return {
        "train": [example for example in train if example not in held],
        "validation": [example for example in train if example in held],
    }


def _held_out_groups(
    train: list[SourceExample],
    presences: dict[SourceExample, ClassPresence],
    group_of: GroupOf,
    count: int,
    seed: int,
) -> list[SourceExample]:
    groups = [group_of[example] for example in train]
    chosen = stratified_groups([presences[example] for example in train], groups, count, seed, hold_out=True)
    if not 0 < 2 * len(chosen) <= len(train) + 1:
        number = f"{len(set(groups))} group{'s' * (len(set(groups)) != 1)}"
        reason = f"the one that fits best holds {len(chosen)} of {len(train)} images" if chosen else "it needs two"
        raise InputError(
            f"dataset.group makes {number} of the train images, too few to hold out validation "
            f"({reason}); use smaller groups, add images, or give the data set a validation split."
        )
    return [train[index] for index in chosen]


def _limited(
    role: str,
    examples: list[SourceExample],
    presences: dict[SourceExample, ClassPresence],
    group_of: GroupOf,
    limit: int,
    seed: int,
) -> list[SourceExample]:
    if not group_of or len(examples) <= limit:
        return _subset(examples, presences, limit, seed)
    groups = [group_of[example] for example in examples]
    chosen = stratified_groups([presences[example] for example in examples], groups, limit, seed)
    if not chosen:
        group, size = Counter(groups).most_common()[-1]
        raise InputError(
            f"the smallest group of {role}, {group!r}, has {size} images, and a group is never cut; "
            f"raise dataset.limit to {size} or more, or use smaller groups in dataset.group. Received: {limit}"
        )
    return [examples[index] for index in chosen]


def _subset(
    examples: list[SourceExample],
    presences: dict[SourceExample, ClassPresence],
    count: int,
    seed: int,
    leave_one: bool = False,
) -> list[SourceExample]:
    shown = [presences[example] for example in examples]
    return [examples[index] for index in stratified(shown, count, seed, leave_one)]
