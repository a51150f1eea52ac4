"""Stratified choice of examples, for a held-out validation split and for small subsets."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassPresence:
    """The name of an example, and which classes appear in its mask, bool [C]."""

    name: str
    present: np.ndarray


def stratified(examples: Sequence[ClassPresence], count: int, seed: int, leave_one: bool = False) -> list[int]:
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
    if count >= len(examples):
        return list(range(len(examples)))
    present = np.stack([example.present for example in examples])
    order = sorted(range(len(examples)), key=lambda i: _hash(seed, examples[i].name))
    totals = present.sum(axis=0)
    wanted = np.maximum(np.rint(totals * count / len(examples)), totals > 0)
    chosen: set[int] = set()
    held = np.zeros_like(totals)
    for index in candidates(present, order, held, wanted):
        if len(chosen) == count:
            break
        is_last = (present[index] & (held + present[index] == totals)).any()
        if index not in chosen and not (leave_one and is_last):
            chosen.add(index)
            held += present[index]
    rest = [index for index in order if index not in chosen]
    return sorted([*chosen, *rest[: count - len(chosen)]])


def candidates(present: np.ndarray, order: Sequence[int], held: np.ndarray, wanted: np.ndarray) -> Iterator[int]:
    """Yield indices in the order to try them: each class once, then its share, then any. The caller updates `held`."""
    for quota in (np.minimum(wanted, 1), wanted):
        for label in np.argsort(present.sum(axis=0), kind="stable"):
            for index in order:
                if held[label] >= quota[label]:
                    break
                if present[index, label]:
                    yield index
    yield from order


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
