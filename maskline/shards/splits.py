"""Which examples each split holds: a validation split held out, and small stratified subsets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Example:
    """One raw example: its name, and whether each class is in its mask, bool [C]."""

    name: str
    present: np.ndarray


def stratified(examples: Sequence[Example], count: int, seed: int) -> list[int]:
    """Choose `count` examples that keep each class's share of images, and every class while there is room.

    Rarest class first, as in iterative stratification (Sechidis et al., ECML 2011). The order among equals is a hash
    of seed and name, so that an added example moves few others.

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
    for label in np.argsort(totals, kind="stable"):
        for index in order:
            if len(chosen) == count or held[label] >= wanted[label]:
                break
            if present[index, label] and index not in chosen:
                chosen.add(index)
                held += present[index]
    rest = (index for index in order if index not in chosen)
    chosen.update(index for index, _ in zip(rest, range(count - len(chosen)), strict=False))
    return sorted(chosen)


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
