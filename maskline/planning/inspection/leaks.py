"""Images of validation and test that train has too, or has a near neighbor of, in a data set's own splits."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from maskline.contracts.classes import Role
from maskline.planning.inspection.examples import SPLITS, Example
from maskline.planning.inspection.measuring import hash_of, in_threads
from maskline.planning.inspection.wording import plural
from maskline.shards.write.leakage import leakage
from maskline.shards.write.shard_statistics import ShardStatistics

MUCH = 0.05  # share of a split's images with a near neighbor in train that is worth a warning, as in the report
_ENDS = 4096  # bytes at both ends of a file that tell most files of one size apart


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
                f"{near.share:.0%} of the images of {role} have a near neighbor in train ({pair.image} and "
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
    """Return a sentence on image files with the same bytes: across splits, and in all."""
    split_of = {example.files[0]: split for split, found in splits.items() for example in found if example.files}
    sets = [sorted(same) for same in _same(list(split_of))]
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


def _same(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the files of the same bytes; only files of one size and with the same ends are read as a whole."""
    groups: list[list[Path]] = [list(paths)]
    for key in (lambda path: path.stat().st_size, _ends, _digest):
        finer: list[list[Path]] = []
        for group in groups:
            by_key = defaultdict(list)
            for path in group:
                by_key[key(path)].append(path)
            finer += [found for found in by_key.values() if len(found) > 1]
        groups = finer
    yield from groups


def _ends(path: Path) -> bytes:
    with open(path, "rb") as file:
        start = file.read(_ENDS)
        file.seek(max(0, path.stat().st_size - _ENDS))
        return start + file.read(_ENDS)


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
