"""Stratified choice of whole groups of examples, for a held-out validation split and for small subsets."""

import hashlib
from collections.abc import Sequence

import numpy as np

from maskline.shards.write.splits import ClassPresence, candidates


def stratified_groups(
    examples: Sequence[ClassPresence], groups: Sequence[str], count: int, seed: int, hold_out: bool = False
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
    names = sorted(set(groups))
    member = np.searchsorted(names, groups)
    present = np.zeros((len(names), len(examples[0].present)), np.int64)
    np.add.at(present, member, np.stack([example.present for example in examples]))
    chosen = _choose(names, np.bincount(member, minlength=len(names)), present, count, seed, hold_out)
    return np.flatnonzero(np.isin(member, sorted(chosen))).tolist()


def _choose(
    names: Sequence[str], sizes: np.ndarray, present: np.ndarray, count: int, seed: int, hold_out: bool
) -> set[int]:
    """Return the indices of the groups to choose, from their sizes [G] and numbers of images with a class [G, C]."""
    order = sorted(range(len(names)), key=lambda group: hash_of(seed, names[group]))
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
        chosen.add(min(order, key=lambda group: (_is_last(present[group], held, totals), sizes[group])))
    return chosen


def _is_last(present: np.ndarray, held: np.ndarray, totals: np.ndarray) -> bool:
    """Return whether a group holds the last images of a class that are not chosen."""
    return bool(((present > 0) & (held + present == totals)).any())


def hash_of(seed: int, group: str) -> bytes:
    """Return the bytes that order groups."""
    return hashlib.sha256(f"{seed}/{group}".encode()).digest()
