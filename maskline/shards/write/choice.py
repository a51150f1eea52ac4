"""The examples of each split: a fold, validation held out, and subsets within dataset.limit, all in whole groups."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from maskline.contracts.classes import ROLES, Role
from maskline.contracts.groups import Groups
from maskline.contracts.source import Source
from maskline.engine.staging import LOCAL, Area
from maskline.errors import ArtifactError, InputError
from maskline.shards.source_examples import Examples, joined
from maskline.shards.write.folds import fold_of_each
from maskline.shards.write.group_splits import stratified_groups
from maskline.shards.write.splits import ClassPresence, stratified
from maskline.shards.write.survey import survey

Splits = dict[Role, Examples]
GroupsOf = dict[Role, list[str]]  # the group of each example of a split; empty without dataset.group


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


class Chosen(NamedTuple):
    """The examples of each split, their groups, and how many examples `limit` drops from each split."""

    splits: Splits
    groups: GroupsOf
    left_out: dict[Role, int]


class _Pool(NamedTuple):
    """Examples to choose from, the classes that each shows, and the group of each; no groups without dataset.group."""

    examples: Examples
    presence: ClassPresence
    groups: list[str]

    def at(self, places: np.ndarray) -> "_Pool":
        """Return the examples at `places`, int [N]."""
        names = [self.presence.names[place] for place in places.tolist()]
        groups = [self.groups[place] for place in places.tolist()] if self.groups else []
        return _Pool(self.examples[places], ClassPresence(names, self.presence.present[places]), groups)


def group_of_each(listed: Splits, groups: Groups, path: Path) -> GroupsOf:
    """Return the group of each listed example; `path` is the groups' file, for its errors.

    Raises:
        ArtifactError: the groups are not those of the examples.
    """
    for role, examples in listed.items():
        if role not in groups.splits or len(groups.splits[role]) != len(examples):
            raise ArtifactError(path, f"does not list the {len(examples)} examples of {role}")
        if max(groups.splits[role]) >= len(groups.names):
            raise ArtifactError(path, f"is damaged: {role} has a group that has no name")
    return {role: groups.of(role) for role in listed}


def choose(
    listed: Splits,
    source: Source,
    groups: GroupsOf,
    options: SplitOptions,
    workers: int | None,
    area: Area = LOCAL,
) -> Chosen:
    """Return the examples of each split, after holding out validation and applying `limit`.

    With folds, `limit` applies to all the images that they divide, and what it drops counts for the source's split.

    Raises:
        InputError: there are too few examples or groups to hold out or to divide, a limit below the smallest group, or
            two examples to divide with one name.
    """
    if options.folds is not None:
        return _choose_folds(listed, source, groups, options, options.folds, workers, area)
    limit = options.limit or max(map(len, listed.values()))
    if "validation" in listed and all(len(examples) <= limit for examples in listed.values()):
        return Chosen(dict(listed), groups, dict.fromkeys(ROLES, 0))
    roles: list[Role] = list(listed)
    pool = _surveyed(roles, listed, source, groups, workers, area)
    ends = np.cumsum([len(listed[role]) for role in roles])
    pools = {role: pool.at(np.arange(end - len(listed[role]), end)) for role, end in zip(roles, ends, strict=True)}
    if "validation" not in pools:
        pools |= _hold_out(pools["train"], options)
    kept = {role: pools[role].at(_limited(role, pools[role], limit, options.seed)) for role in ROLES}
    return _chosen(kept, {role: len(pools[role].examples) - len(kept[role].examples) for role in ROLES})


def _surveyed(
    roles: Sequence[Role], listed: Splits, source: Source, groups: GroupsOf, workers: int | None, area: Area
) -> _Pool:
    examples = joined(listed[role] for role in roles)
    of_each = [group for role in roles for group in groups[role]] if groups else []
    return _Pool(examples, survey(examples, source, workers, area), of_each)


def _chosen(pools: dict[Role, _Pool], left_out: dict[Role, int]) -> Chosen:
    groups = {role: pool.groups for role, pool in pools.items()} if pools["train"].groups else {}
    return Chosen({role: pool.examples for role, pool in pools.items()}, groups, left_out)


def left_out_by_folds(source: Source, options: SplitOptions, listed: Splits) -> int | None:
    """Return the number of images of the source's own test split, which folds leave out; None without folds."""
    if options.folds is None:
        return None
    return 0 if source.test_is_held_out else len(listed["test"])


def _choose_folds(
    listed: Splits,
    source: Source,
    groups: GroupsOf,
    options: SplitOptions,
    folds: int,
    workers: int | None,
    area: Area,
) -> Chosen:
    roles = [role for role in ROLES if role in listed and (role != "test" or source.test_is_held_out)]
    pool = _surveyed(roles, listed, source, groups, workers, area)
    _refuse_repeated(pool.presence.names)
    chosen = _limited("the images to divide", pool, options.limit or len(pool.examples), options.seed)
    kept = pool.at(chosen)
    names = kept.groups or kept.presence.names
    if len(set(names)) < folds:
        kind = "group" if groups else "image"
        raise InputError(
            f"there are {len(set(names))} {kind}s to divide into folds, and each fold needs one; "
            f"lower dataset.folds, or add images. Received: {folds}"
        )
    is_test = np.array(fold_of_each(kept.presence, names, folds, options.seed)) + 1 == options.fold
    pools = _hold_out(kept.at(np.flatnonzero(~is_test)), options) | {"test": kept.at(np.flatnonzero(is_test))}
    sizes = [len(listed[role]) for role in roles]
    counts = np.bincount(np.repeat(np.arange(len(roles)), sizes)[chosen], minlength=len(roles)).tolist()
    dropped = {role: size - count for role, size, count in zip(roles, sizes, counts, strict=True)}
    return _chosen(pools, dict.fromkeys(ROLES, 0) | dropped)


def _refuse_repeated(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        name, times = Counter(names).most_common(1)[0]
        raise InputError(
            f"dataset.folds divides the images of several splits, and {times} of them are named {name}; "
            "give each its own name, or set dataset.folds to null."
        )


def _hold_out(train: _Pool, options: SplitOptions) -> dict[Role, _Pool]:
    size = len(train.examples)
    if size < 2:
        raise InputError(
            f"train has {size} example, too few to hold out a validation split; "
            "add images, or give the source a validation split."
        )
    count = max(1, round(size * options.validation_fraction))
    if train.groups:
        held = _held_out_groups(train, count, options.seed)
    else:
        held = stratified(train.presence, count, options.seed, leave_one=True)
    is_held = np.isin(np.arange(size), held)
    return {"train": train.at(np.flatnonzero(~is_held)), "validation": train.at(np.flatnonzero(is_held))}


def _held_out_groups(train: _Pool, count: int, seed: int) -> list[int]:
    chosen = stratified_groups(train.presence, train.groups, count, seed, hold_out=True)
    size = len(train.examples)
    if not 0 < 2 * len(chosen) <= size + 1:
        groups = len(set(train.groups))
        reason = f"the one that fits best holds {len(chosen)} of {size} images" if chosen else "it needs two"
        raise InputError(
            f"dataset.group makes {groups} group{'s' * (groups != 1)} of the train images, too few to hold out "
            f"validation ({reason}); use smaller groups, add images, or give the data set a validation split."
        )
    return chosen


def _limited(role: str, pool: _Pool, limit: int, seed: int) -> np.ndarray:
    """Return the places of at most `limit` examples, ascending, int64 [N]."""
    if not pool.groups or len(pool.examples) <= limit:
        return np.array(stratified(pool.presence, limit, seed), np.int64)
    chosen = stratified_groups(pool.presence, pool.groups, limit, seed)
    if not chosen:
        group, size = Counter(pool.groups).most_common()[-1]
        raise InputError(
            f"the smallest group of {role}, {group!r}, has {size} images, and a group is never cut; "
            f"raise dataset.limit to {size} or more, or use smaller groups in dataset.group. Received: {limit}"
        )
    return np.array(chosen, np.int64)
