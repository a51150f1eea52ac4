"""Images of validation and test that train has too, or has a near neighbor of, in a data set's own splits."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from maskline.contracts.classes import Role
from maskline.planning.inspection.examples import SPLITS, Example
from maskline.planning.inspection.measuring import hash_of, in_threads
from maskline.planning.wording import percent, plural
from maskline.shards.write.leakage import leakage
from maskline.shards.write.shard_statistics import ShardStatistics

MUCH = 0.05  # share of a split's images with a near neighbor in train that is worth a warning, as in the report
_PART = 4096  # bytes at the start, the middle and the end of a file, in which few files agree that are not copies


def find_leaks(splits: dict[str, list[Example]], known: Mapping[Example, bytes]) -> list[str]:
    """Return a sentence for each held-out split of which much is near to train.

    Args:
        splits: whose images are all looked at.
        known: difference hashes of some of them.
    """
    counts = {role: _statistics(splits.get(role, []), known) for role in _ROLES}
    sentences = []
    for role, near in leakage(counts).items():
        if near.share >= MUCH:
            pair = near.pairs[0]
            sentences.append(
                f"{percent(near.share, 1)} of the images of {role} have a near neighbor in train ({pair.image} and "
                f"{pair.train}, for example), which makes figures too high; correct the lists, so that images of one "
                "video, patient or place are in one split"
            )
    return sentences


_ROLES: tuple[Role, ...] = ("train", "validation", "test")
assert set(_ROLES) == set(SPLITS)


def _statistics(examples: Sequence[Example], known: Mapping[Example, bytes]) -> list[ShardStatistics]:
    none = np.zeros(0, np.int64)
    others = [example for example in examples if example not in known]
    hashes = dict(zip(others, in_threads(hash_of, others, "comparing splits"), strict=True)) | dict(known)
    kept = [(example.name, data) for example in examples if (data := hashes[example])]
    names, found = [name for name, _ in kept], bytearray(b"".join(data for _, data in kept))
    return [ShardStatistics(none, none, names=names, hashes=found)]


def find_duplicates(splits: dict[str, list[Example]]) -> list[str]:
    """Return a sentence on image files that are copies of each other."""
    split_of = {example.files[0]: split for split, found in splits.items() for example in found if example.files}
    sets = [sorted(same) for same in _same([path for path in split_of if path.is_file()])]
    if not sets:
        return []
    number = sum(map(len, sets)) - len(sets)
    across = sum(len({split_of[path] for path in same}) > 1 for same in sets)
    first = sets[0]
    more = f"; {plural(across, 'image')} of them in two splits, which makes figures too high" if across else ""
    verb = "is a copy of another" if number == 1 else "are copies of others"
    return [
        f"{plural(number, 'image file')} {verb} ({first[1].name} and {first[0].name}, for example){more}; remove "
        "the copies, or put them into one group"
    ]


def _same(paths: Sequence[Path]) -> list[list[Path]]:
    """Return the files of the same bytes, in sets of two or more; only those that agree in size and parts are read."""
    groups: list[list[Path]] = [list(paths)]
    for key in (_size, _parts, _content):
        groups = [finer for group in groups for finer in _by(key, group) if len(finer) > 1]
    return groups


def _by(key: Callable[[Path], object], paths: Sequence[Path]) -> list[list[Path]]:
    groups = defaultdict(list)
    for path in paths:
        groups[key(path)].append(path)
    return list(groups.values())


def _size(path: Path) -> int:
    return os.stat(path).st_size


def _parts(path: Path) -> bytes:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        parts = []
        for place in (0, size // 2, max(0, size - _PART)):
            file.seek(place)
            parts.append(file.read(_PART))
    return hashlib.blake2b(b"".join(parts)).digest()


def _content(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, hashlib.blake2b).digest()
