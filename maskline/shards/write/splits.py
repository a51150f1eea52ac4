"""Stratified choice of examples, for a held-out validation split and for small subsets."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class ClassPresence(NamedTuple):
    """The names of N examples, and which classes appear in the mask of each, bool [N, C]."""

    names: Sequence[str]
    present: np.ndarray


def stratified(examples: ClassPresence, count: int, seed: int, leave_one: bool = False) -> list[int]:
    """Choose `count` examples that keep each class's share of images, and contain every class if `count` allows it.

    The rarest class comes first, as in iterative stratification (Sechidis et al., ECML 2011). A hash of seed and name
    orders the candidates, so that an added example changes few choices.

    Args:
        examples: to choose from.
        count: number of examples to choose.
        seed: of the hash.
        leave_one: leave at least one example of every class unchosen, if possible.

    Returns:
        The chosen indices, ascending.
    """
    names, present = examples
    if count >= len(names):
        return list(range(len(names)))
    order = hash_order(seed, names)
    totals = present.sum(axis=0)
    wanted = np.maximum(np.rint(totals * count / len(names)), totals > 0)
    chosen: set[int] = set()
    held = np.zeros_like(totals)
    for index in candidates(present, order, held, wanted):
        if len(chosen) == count:
            break
        is_last = (present[index] & (held + present[index] == totals)).any()
        if index not in chosen and not (leave_one and is_last):
            chosen.add(index)
            held += present[index]
    rest = [index for index in order.tolist() if index not in chosen]
    return sorted([*chosen, *rest[: count - len(chosen)]])


def candidates(present: np.ndarray, order: np.ndarray, held: np.ndarray, wanted: np.ndarray) -> Iterator[int]:
    """Yield indices in the order to try them: each class once, then its share, then any. The caller updates `held`."""
    for quota in (np.minimum(wanted, 1), wanted):
        for label in np.argsort(present.sum(axis=0), kind="stable"):
            for index in order[present[order, label] > 0]:
                if held[label] >= quota[label]:
                    break
                yield int(index)
    yield from map(int, order)


def hash_order(seed: int, names: Sequence[str]) -> np.ndarray:
    """Return the indices of names in the order of the SHA-256 of seed and name, int64 [N]."""
    digests = (hashlib.sha256(f"{seed}/{name}".encode()).digest() for name in names)
    hashes = np.fromiter(digests, np.dtype((np.void, 32)), len(names))
    return np.lexsort(hashes.view(">u8").reshape(len(names), 4).T[::-1])
