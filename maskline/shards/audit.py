"""What the data look like: sizes, class shares and their drift, void, conversions, and duplicates across splits."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from maskline.classes import Role
from maskline.shards.convert import Counts

_NEAR_BITS = 8  # of 256 that may differ between near duplicates
_LISTED_PAIRS = 50
_CONVERSIONS = ("greyscale", "alpha", "sixteen_bit", "palette", "exif_rotated")


def audit(
    counts: dict[Role, Sequence[Counts]], names: Sequence[str], unlisted: int, left_out: dict[Role, int]
) -> dict[str, Any]:
    """Sum up the counts of each split's shards.

    Args:
        counts: one `Counts` per shard of each split.
        names: the classes' names.
        unlisted: images of the source that stand in no split's list.
        left_out: examples of each split that dataset.limit left out.

    Returns:
        Plain Python values in a fixed order; shares are of valid pixels, rounded to 6 digits.
    """
    pixels = {role: sum(part.pixels for part in parts) for role, parts in counts.items()}
    shares = {role: total / max(total.sum(), 1) for role, total in pixels.items()}
    with_class = {role: sum(part.images_with_class for part in parts) for role, parts in counts.items()}
    everything = [part for parts in counts.values() for part in parts]
    sizes = sorted({size for part in everything for size in part.sizes}, key=lambda size: (size[0] * size[1], size))
    return {
        "images": {role: sum(len(part.names) for part in parts) for role, parts in counts.items()},
        "left_out_by_lists": unlisted,
        "left_out_by_limit": left_out,
        "original_size": {"smallest": list(sizes[0]), "largest": list(sizes[-1])},
        "void_share": {role: _void_share(parts) for role, parts in counts.items()},
        "class_share": {role: _by_name(names, share.round(6)) for role, share in shares.items()},
        "images_with_class": {role: _by_name(names, total) for role, total in with_class.items()},
        "class_drift": {role: _drift(shares["train"], shares[role]) for role in counts if role != "train"},
        "converted": {kind: sum(part.conversions.get(kind, 0) for part in everything) for kind in _CONVERSIONS},
        "duplicates": _duplicates(everything),
    }


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    return dict(zip(names, values.tolist(), strict=True))


def _void_share(parts: Iterable[Counts]) -> float:
    void = sum(part.void_pixels for part in parts)
    return round(void / (void + sum(int(part.pixels.sum()) for part in parts)), 6)


def _drift(train: np.ndarray, other: np.ndarray) -> float:
    """Return the total variation distance of two class distributions, 0 to 1."""
    return round(float(np.abs(train - other).sum() / 2), 6)


def _duplicates(parts: Sequence[Counts]) -> dict[str, Any]:
    """Find images that stand in two splits, pixel by pixel or nearly; equal images of one split count once."""
    all_names = [name for part in parts for name in part.names]
    all_digests = [digest for part in parts for digest in part.digests]
    firsts: dict[tuple[str, bytes], int] = {}
    for index, (name, digest) in enumerate(zip(all_names, all_digests, strict=True)):
        firsts.setdefault((_split(name), digest), index)
    kept = list(firsts.values())
    names, digests = [all_names[i] for i in kept], [all_digests[i] for i in kept]
    packed = np.frombuffer(b"".join(h for part in parts for h in part.hashes), np.uint8)
    hashes = packed.reshape(len(all_names), -1)[kept]
    exact = _across_splits(_groups(digests), names)
    near = {pair for pair in _across_splits(_bands(hashes), names) if _distance(hashes, pair) <= _NEAR_BITS} - exact
    pairs = [["exact", names[a], names[b]] for a, b in sorted(exact)]
    pairs += [["near", names[a], names[b]] for a, b in sorted(near)]
    return {"exact": len(exact), "near": len(near), "pairs": pairs[:_LISTED_PAIRS]}


def _groups(keys: Sequence[bytes]) -> list[list[int]]:
    found = defaultdict(list)
    for index, key in enumerate(keys):
        found[key].append(index)
    return [group for group in found.values() if len(group) > 1]


def _bands(hashes: np.ndarray) -> list[list[int]]:
    """Group images that share one of so many bands of bits that near duplicates must share one (pigeonhole).

    A band takes every ninth bit, so that images with the same flat sky do not all share one.
    """
    bits, bands = np.unpackbits(hashes, axis=1), _NEAR_BITS + 1
    packed = [np.packbits(bits[:, band::bands], axis=1) for band in range(bands)]
    return [group for band in packed for group in _groups([row.tobytes() for row in band])]


def _across_splits(groups: Iterable[list[int]], names: Sequence[str]) -> set[tuple[int, int]]:
    return {(a, b) for group in groups for a, b in combinations(group, 2) if _split(names[a]) != _split(names[b])}


def _split(name: str) -> str:
    return name.split("/", 1)[0]


def _distance(hashes: np.ndarray, pair: tuple[int, int]) -> int:
    return int(np.unpackbits(hashes[pair[0]] ^ hashes[pair[1]]).sum())
