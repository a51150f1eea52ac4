"""The division of examples into folds of equal size, in whole groups and with each class in every fold."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from maskline.shards.write.group_splits import hash_of
from maskline.shards.write.splits import ClassPresence


class _Group(NamedTuple):
    """A group: its name, its number of examples, and how many of them show each class, int64 [C]."""

    name: str
    size: int
    present: np.ndarray


def fold_of_each(examples: Sequence[ClassPresence], groups: Sequence[str], folds: int, seed: int) -> list[int]:
    """Divide examples into folds; none depends on the order of the examples.

    Large groups come first, and among groups of one size those of the rarest class, as in iterative stratification
    (Sechidis et al., ECML 2011). Each goes to the fold that most lacks its classes, of those that have room for it.
    Then groups are moved or exchanged as long as that brings the largest and the smallest fold nearer to each other.

    Args:
        examples: to divide, each with its own name.
        groups: of each example; a group is never cut. Each example's name, if each is by itself.
        folds: number of folds, at most the number of groups.
        seed: of the hash that orders groups.

    Returns:
        The fold of each example, 0 to folds - 1. Sizes differ by the size of the largest group at most.
    """
    members = _groups(examples, groups, seed)
    fold_of = _divided(members, folds)
    _level(members, fold_of, folds)
    of_name = {group.name: fold for group, fold in zip(members, fold_of, strict=True)}
    return [of_name[group] for group in groups]


def _groups(examples: Sequence[ClassPresence], groups: Sequence[str], seed: int) -> list[_Group]:
    """Return the groups in the order in which they choose a fold."""
    names = sorted(set(groups))
    member = np.searchsorted(names, groups)
    present = np.zeros((len(names), len(examples[0].present)), np.int64)
    np.add.at(present, member, np.stack([example.present for example in examples]))
    sizes = np.bincount(member, minlength=len(names)).tolist()
    rarity = np.argsort(np.argsort(present.sum(axis=0), kind="stable"), kind="stable")
    rarest = np.where(present > 0, rarity, len(rarity)).min(axis=1, initial=len(rarity))
    order = sorted(range(len(names)), key=lambda i: (-sizes[i], rarest[i], hash_of(seed, names[i])))
    return [_Group(names[i], sizes[i], present[i]) for i in order]


def _divided(members: Sequence[_Group], folds: int) -> list[int]:
    """Return the fold of each group."""
    total = sum(group.size for group in members)
    weight = 1 / np.maximum(np.sum([group.present for group in members], axis=0), 1)
    sizes, held = np.zeros(folds, np.int64), np.zeros((folds, len(weight)))
    fold_of = []
    for group in members:
        room = _with_room(sizes, group.size, total)
        lack = held[room] @ (weight * (group.present > 0))
        fold = int(room[np.lexsort((sizes[room], lack.round(9)))[0]])
        fold_of.append(fold)
        sizes[fold] += group.size
        held[fold] += group.present * weight
    return fold_of


def _with_room(sizes: np.ndarray, size: int, total: int) -> np.ndarray:
    """Return the folds that a group does not make larger than their share, or else the smallest ones."""
    share, larger = divmod(total, len(sizes))
    most = share + (np.count_nonzero(sizes > share) < larger)
    room = np.flatnonzero(sizes + size <= most)
    return room if len(room) else np.flatnonzero(sizes == sizes.min())


def _level(members: Sequence[_Group], fold_of: list[int], folds: int) -> None:
    """Move or exchange groups between the largest and the smallest fold while that brings their sizes nearer."""
    of_size = np.array([group.size for group in members])
    while True:
        sizes = np.bincount(fold_of, of_size, minlength=folds).astype(np.int64)
        large, small = int(sizes.argmax()), int(sizes.argmin())
        gap = int(sizes[large] - sizes[small])
        given = {int(of_size[i]): i for i in reversed(range(len(members))) if fold_of[i] == large}
        taken = {int(of_size[i]): i for i in reversed(range(len(members))) if fold_of[i] == small} | {0: -1}
        changes = [(abs(2 * (a - b) - gap), a, b) for a in given for b in taken if 0 < a - b < gap]
        if not changes:
            return
        _, a, b = min(changes)
        fold_of[given[a]] = small
        if b:
            fold_of[taken[b]] = large
