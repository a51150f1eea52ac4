"""Exact and near duplicates in different splits, from the digests and the difference hashes of the images."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from maskline.contracts.audit import Duplicates
from maskline.contracts.classes import Role
from maskline.shards.write.pairing import pairs
from maskline.shards.write.shard_statistics import ShardStatistics

_NEAR_BITS = 8  # near duplicates differ in at most this many of 256 bits
_WORDS = 4  # of 64 bits in a hash
_LISTED_PAIRS = 50
_MOST_COMPARED = 1 << 25  # pairs in one band: about 5,800 images in each of two splits that are all alike

Pairs = tuple[np.ndarray, np.ndarray]


def duplicates(counts: Mapping[Role, Sequence[ShardStatistics]]) -> Duplicates:
    """Find exact and near duplicates in different splits; equal images of one split count once.

    Near duplicates are counted exactly, unless images that agree in a band of their bits make over _MOST_COMPARED
    pairs. Each image is then compared with as many others as that number allows, and the count is the least there are.
    """
    parts = [part for of_split in counts.values() for part in of_split]
    names = [name for part in parts for name in part.names]
    roles = list(counts)
    splits = np.repeat(np.arange(len(roles)), [sum(len(p.names) for p in of_split) for of_split in counts.values()])
    digests = np.frombuffer(b"".join(part.digests for part in parts), np.uint64).reshape(len(names), -1)
    hashes = np.frombuffer(b"".join(part.hashes for part in parts), np.uint64).reshape(len(names), _WORDS)
    kept = _first_of_each(splits, digests)
    splits, digests, hashes = splits[kept], digests[kept], hashes[kept]
    exact, near, is_least = _Tally(), _Tally(), False
    for a, b in _exact(digests, splits):
        exact.add(a, b)
    for number, mask in enumerate(_MASKS):
        band = _Band.of(_in_band(hashes, mask), splits)
        is_least = is_least or band.is_cut
        for a, b in _near(digests, hashes, band, number):
            near.add(a, b)
    listed: list[tuple[Literal["exact", "near"], int, int]] = [("exact", *pair) for pair in exact.lowest()]
    listed += [("near", *pair) for pair in near.lowest()]
    del listed[_LISTED_PAIRS:]
    shown = {i: f"{roles[splits[i]]}/{names[kept[i]]}" for _, *pair in listed for i in pair}
    named = [(kind, shown[first], shown[second]) for kind, first, second in listed]
    return Duplicates(exact=exact.count, near=near.count, near_is_least=is_least, pairs=named)


def _first_of_each(splits: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """Return the indices of the first image of each split and digest, ascending."""
    order = np.lexsort((*digests.T, splits))
    rows = np.column_stack([splits.astype(np.uint64), digests])[order]
    return np.sort(order[np.append(True, (rows[1:] != rows[:-1]).any(axis=1))])


def _masks() -> np.ndarray:
    """Return the bits of each band, uint64 [bands, 4]: one band more than the number of bits that may differ.

    A band takes every ninth bit, so that images with the same flat sky do not all share one. Bits of different words
    have different places in them, so that one word holds the band.
    """
    count = _NEAR_BITS + 1
    bits = np.arange(64 * _WORDS)
    of_band = bits % count == np.arange(count)[:, None]
    return np.packbits(of_band, axis=1, bitorder="little").view("<u8").astype(np.uint64)


_MASKS = _masks()


def _in_band(hashes: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the bits of a band of each hash in one word, uint64 [N]."""
    return np.bitwise_or.reduce(hashes & mask, axis=1)


class _Band(NamedTuple):
    """The images sorted by a key: what to compare each with.

    Attributes:
        order: indices of the images, sorted by key and then by split, [N].
        starts: for each place in that order, the first place with its key, [N].
        counts: number of places to compare with from there; all of them are of earlier splits, [N].
        is_cut: whether there are more.
    """

    order: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    is_cut: bool

    @classmethod
    def of(cls, keys: np.ndarray, splits: np.ndarray) -> "_Band":
        """Sort images by key; `splits` must be in ascending order."""
        order = np.argsort(keys, kind="stable")
        keys, splits = keys[order], splits[order]
        others = keys[1:] != keys[:-1]
        starts = _starts(others)
        counts = _starts(others | (splits[1:] != splits[:-1])) - starts
        is_cut = int(counts.sum()) > _MOST_COMPARED
        return cls(order.astype(np.int32), starts.astype(np.int32), _cut(counts).astype(np.int32), is_cut)

    def pairs(self) -> Iterator[Pairs]:
        """Yield the pairs of places to compare, the one of the earlier split first."""
        return ((first, second) for second, first in pairs(self.starts, self.counts))


def _starts(changes: np.ndarray) -> np.ndarray:
    """Return the start of each place's run; `changes`, bool [N - 1], is true if the next place starts a new run."""
    return np.maximum.accumulate(np.append(0, np.arange(1, len(changes) + 1) * changes))


def _cut(counts: np.ndarray) -> np.ndarray:
    """Return counts, none larger than the largest number with which their sum is at most _MOST_COMPARED."""
    numbers = range(int(counts.max(initial=0)) + 1)
    most = bisect_right(numbers, _MOST_COMPARED, key=lambda number: int(np.minimum(counts, number).sum())) - 1
    return np.minimum(counts, most)


def _exact(digests: np.ndarray, splits: np.ndarray) -> Iterator[Pairs]:
    band = _Band.of(digests[:, 0], splits)
    for first, second in band.pairs():
        a, b = band.order[first], band.order[second]
        equal = (digests[a] == digests[b]).all(axis=1)
        yield a[equal], b[equal]


def _near(digests: np.ndarray, hashes: np.ndarray, band: _Band, number: int) -> Iterator[Pairs]:
    """Yield the near duplicates that share this band and none before it, and are not exact.

    Near duplicates share one band at least, by the pigeonhole principle.
    """
    words = hashes[band.order].T.copy()  # in the order of the places, because pairs are near each other there
    for first, second in band.pairs():
        differ = [word.take(first) ^ word.take(second) for word in words]
        bits = np.zeros(len(first), np.uint16)
        for word in differ:
            bits += np.bitwise_count(word)
        near = np.flatnonzero(bits <= _NEAR_BITS)
        near = near[_is_new([word.take(near) for word in differ], number)]
        a, b = band.order[first[near]], band.order[second[near]]
        other = bits[near] > 0
        other[~other] = (digests[a[~other]] != digests[b[~other]]).any(axis=1)
        yield a[other], b[other]


def _is_new(differ: Sequence[np.ndarray], number: int) -> np.ndarray:
    """Return whether pairs share no band before `number`, from the words of bits that differ."""
    new = np.ones(len(differ[0]), bool)
    for mask in _MASKS[:number]:
        in_band = np.zeros_like(differ[0])
        for word, bits in zip(differ, mask, strict=True):
            in_band |= word & bits
        new &= in_band != 0
    return new


class _Tally:
    """The number of pairs, and the lowest of them."""

    def __init__(self) -> None:
        self.count = 0
        self._lowest = np.empty((0, 2), np.int64)

    def add(self, a: np.ndarray, b: np.ndarray) -> None:
        """Count pairs of indices a [N] and b [N]."""
        self.count += len(a)
        if len(self._lowest) == _LISTED_PAIRS:
            low = np.flatnonzero(a <= self._lowest[-1, 0])
            a, b = a[low], b[low]
        both = np.concatenate([self._lowest, np.column_stack([a, b])])
        self._lowest = both[np.lexsort(both.T[::-1])[:_LISTED_PAIRS]]

    def lowest(self) -> list[tuple[int, int]]:
        """Return the lowest pairs, at most _LISTED_PAIRS."""
        return [(first, second) for first, second in self._lowest.tolist()]
