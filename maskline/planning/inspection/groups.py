"""Images that belong together by their names and look alike: frames of a video, slices of a patient."""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from maskline.planning.inspection.examples import Example
from maskline.planning.inspection.measuring import hash_of, in_threads, spread
from maskline.shards.write.leakage import hash_distance

# A folder, or what is before the last number; the first that has evidence counts.
_PATTERNS = (r"^(.+)/", r"^(.+?)[_\-. ]*[A-Za-z]*[0-9]+\.[^.]*$")
_FEWEST_GROUPS = 4
_TYPICAL = 3  # images of a group, at least, on average
_LARGEST = 0.5  # of all images, which is the most that a group may hold
_PAIRS = 60  # of neighbors, whose likeness is compared with that of images of different groups
_FEWEST_PAIRS = 8
_ALIKE = 0.75  # neighbors in a group are alike if their median distance is at most this share of that of others


class Groups(NamedTuple):
    """A pattern for dataset.group, the number of groups, and the median distances within and between them."""

    pattern: str
    number: int
    within: float
    between: float


def find_groups(examples: Sequence[Example]) -> Groups | None:
    """Return the groups for which there is evidence: several images of each by name, whose neighbors look alike."""
    for pattern in _PATTERNS:
        members = _members(examples, pattern)
        if members is None:
            continue
        distances = _distances(list(members.values()))
        if distances is not None and distances[0] <= _ALIKE * distances[1]:
            return Groups(pattern, len(members), *distances)
    return None


def _members(examples: Sequence[Example], pattern: str) -> dict[str, list[Example]] | None:
    """Return the images of each group, sorted by number, or None if the groups are too few or too unequal."""
    members: dict[str, list[Example]] = {}
    for example in examples:
        found = re.search(pattern, example.name)
        if found is None:
            return None
        members.setdefault(found[1], []).append(example)
    sizes = [len(group) for group in members.values()]
    if len(sizes) < _FEWEST_GROUPS or np.mean(sizes) < _TYPICAL or max(sizes) > _LARGEST * len(examples):
        return None
    return {name: sorted(group, key=_numbers) for name, group in members.items()}


def _numbers(example: Example) -> tuple[list[int], str]:
    return [int(number) for number in re.findall("[0-9]+", example.name)], example.name


def _distances(groups: Sequence[Sequence[Example]]) -> tuple[float, float] | None:
    """Return the median distance of neighbors in a group, and of images in different groups."""
    pairs = spread(list(_neighbors(groups)), _PAIRS)
    if len(pairs) < _FEWEST_PAIRS:
        return None
    both = [example for pair in pairs for example in pair[1:]]
    hashes = list(in_threads(hash_of, both, "comparing neighbors"))
    kept = [i for i in range(len(pairs)) if hashes[2 * i] and hashes[2 * i + 1]]
    if len(kept) < _FEWEST_PAIRS:
        return None
    numbers = np.array([pairs[i][0] for i in kept])
    first, second = (np.stack([np.frombuffer(hashes[2 * i + side] or b"", np.uint64) for i in kept]) for side in (0, 1))
    apart = len(kept) // 2
    others = np.roll(np.arange(len(kept)), apart)
    different = numbers != numbers[others]
    if not different.any():
        return None
    within, between = hash_distance(first, second), hash_distance(first, second[others])[different]
    return float(np.median(within)), float(np.median(between))


def _neighbors(groups: Sequence[Sequence[Example]]) -> list[tuple[int, Example, Example]]:
    return [
        (number, before, after) for number, group in enumerate(groups) for before, after in itertools.pairwise(group)
    ]
