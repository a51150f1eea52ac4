"""The division of examples into folds of equal size, in whole groups and with each class in every fold."""

from collections.abc import Sequence

import numpy as np

from maskline.shards.write.group_splits import Members, members_of
from maskline.shards.write.splits import ClassPresence, hash_order


def fold_of_each(examples: ClassPresence, groups: Sequence[str], folds: int, seed: int) -> list[int]:
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
    members = members_of(groups, examples.present)
    order = _order(members, seed)
    sizes, present = members.sizes[order], members.present[order]
    fold_of = _divided(sizes, present, folds)
    _level(sizes, fold_of, folds)
    of_group = np.empty_like(fold_of)
    of_group[order] = fold_of
    return of_group[members.group].tolist()


def _order(members: Members, seed: int) -> np.ndarray:
    """Return the groups in the order in which they choose a fold, int64 [G]."""
    rarity = np.argsort(np.argsort(members.present.sum(axis=0), kind="stable"), kind="stable")
    rarest = np.where(members.present > 0, rarity, len(rarity)).min(axis=1, initial=len(rarity))
    order = hash_order(seed, members.names)
    return order[np.lexsort((rarest[order], -members.sizes[order]))]


def _divided(group_sizes: np.ndarray, present: np.ndarray, folds: int) -> np.ndarray:
    """Return the fold of each group, int64 [G], from their sizes [G] and numbers of images with a class [G, C]."""
    total = int(group_sizes.sum())
    weight = 1 / np.maximum(present.sum(axis=0), 1)
    sizes, held = np.zeros(folds, np.int64), np.zeros((folds, len(weight)))
    fold_of = np.empty(len(group_sizes), np.int64)
    for group, size in enumerate(group_sizes.tolist()):
        room = _with_room(sizes, size, total)
        lack = held[room] @ (weight * (present[group] > 0))
        fold = int(room[np.lexsort((sizes[room], lack.round(9)))[0]])
        fold_of[group] = fold
        sizes[fold] += size
        held[fold] += present[group] * weight
    return fold_of


def _with_room(sizes: np.ndarray, size: int, total: int) -> np.ndarray:
    """Return the folds that a group does not make larger than their share, or else the smallest ones."""
    share, larger = divmod(total, len(sizes))
    most = share + (np.count_nonzero(sizes > share) < larger)
    room = np.flatnonzero(sizes + size <= most)
    return room if len(room) else np.flatnonzero(sizes == sizes.min())


def _level(of_size: np.ndarray, fold_of: np.ndarray, folds: int) -> None:
    """Move or exchange groups between the largest and the smallest fold while that brings their sizes nearer."""
    while True:
        sizes = np.bincount(fold_of, of_size, minlength=folds).astype(np.int64)
        large, small = int(sizes.argmax()), int(sizes.argmin())
        gap = int(sizes[large] - sizes[small])
        given = _first_of_size(of_size, fold_of == large)
        taken = _first_of_size(of_size, fold_of == small) | {0: -1}
        changes = [(abs(2 * (a - b) - gap), a, b) for a in given for b in taken if 0 < a - b < gap]
        if not changes:
            return
        _, a, b = min(changes)
        fold_of[given[a]] = small
        if b:
            fold_of[taken[b]] = large


def _first_of_size(of_size: np.ndarray, chosen: np.ndarray) -> dict[int, int]:
    """Return the first of the chosen groups of each size."""
    places = np.flatnonzero(chosen)
    found, first = np.unique(of_size[places], return_index=True)
    return dict(zip(found.tolist(), places[first].tolist(), strict=True))
