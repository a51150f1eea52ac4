"""Stratified choice of whole groups of examples, for a held-out validation split and for small subsets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from maskline.shards.write.splits import ClassPresence, candidates, hash_order


class Members(NamedTuple):
    """Groups, sorted by name, and the group of each example.

    Attributes:
        names: of the G groups.
        group: index of each example's group in `names`, int64 [N].
        sizes: number of examples in each group, int64 [G].
        present: number of examples in each group that show a class, int64 [G, C].
    """

    names: list[str]
    group: np.ndarray
    sizes: np.ndarray
    present: np.ndarray


def members_of(groups: Sequence[str], present: np.ndarray) -> Members:
    """Return the groups of examples, from the name of each example's group and the classes that it shows."""
    names = sorted(set(groups))
    index = {name: number for number, name in enumerate(names)}
    group = np.fromiter((index[name] for name in groups), np.int64, len(groups))
    counts = np.zeros((len(names), present.shape[1]), np.int64)
    np.add.at(counts, group, present)
    return Members(names, group, np.bincount(group, minlength=len(names)), counts)


def stratified_groups(
    examples: ClassPresence, groups: Sequence[str], count: int, seed: int, hold_out: bool = False
) -> list[int]:
    """Choose whole groups that keep each class's share of images, in the order of `stratified`.

    Args:
        examples: to choose from.
        groups: of each example.
        count: number of examples to choose.
        seed: of the hash that orders the groups.
        hold_out: come as near to `count` as the groups allow, choose at least one group, and leave an example of every
            class unchosen if possible; otherwise choose at most `count` examples.

    Returns:
        The chosen indices, ascending; none if no group holds at most `count` examples, or if there is only one to hold
        out.
    """
    members = members_of(groups, examples.present)
    chosen = _choose(members, count, seed, hold_out)
    return np.flatnonzero(np.isin(members.group, sorted(chosen))).tolist()


def _choose(members: Members, count: int, seed: int, hold_out: bool) -> set[int]:
    """Return the indices of the groups to choose."""
    names, _, sizes, present = members
    order = hash_order(seed, names)
    totals = present.sum(axis=0)
    wanted = np.maximum(np.rint(totals * count / sizes.sum()), totals > 0)
    held = np.zeros_like(totals)
    chosen: set[int] = set()
    size = 0
    for group in candidates(present, order, held, wanted):
        room = count - size
        fits = sizes[group] < 2 * room if hold_out else sizes[group] <= room
        if group not in chosen and fits and not (hold_out and _is_last(present[group], held, totals)):
            chosen.add(group)
            held += present[group]
            size += int(sizes[group])
    if hold_out and not chosen and len(names) > 1:
        chosen.add(min(order.tolist(), key=lambda group: (_is_last(present[group], held, totals), sizes[group])))
    return chosen


def _is_last(present: np.ndarray, held: np.ndarray, totals: np.ndarray) -> bool:
    """Return whether a group holds the last images of a class that are not chosen."""
    return bool(((present > 0) & (held + present == totals)).any())
