"""How close validation and test are to train: images that look alike, and the next frames of one sequence.

Only neighbors in train count, because a model learns from those. Memory is a few hundred bytes per image, and images
are compared within buckets, not all with all.
"""

import hashlib
import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from maskline.contracts.audit import HELD_OUT, HeldOut, NearTrain, Neighbor
from maskline.contracts.classes import Role
from maskline.shards.write.pairing import pairs
from maskline.shards.write.shard_statistics import ShardStatistics

ALIKE = 0.25  # the largest distance of images that look alike; photographs of different things are 0.4 to 0.8 apart
_WORDS = 4  # of 64 bits in a hash
_FEWEST_EDGES = 16  # bits that two hashes need together, because a flat image is like any other
_BANDS, _BAND = 24, 8  # of pairs at a distance of 0.2, 99 % share a band; of those at 0.65, 0.5 %
_MOST_OF_A_BAND = 256  # images of train that an image is compared with in one band
_SHORTEST = 8  # images that make a sequence
_FEWEST_STEPS = 20  # steps that tell whether sequences are in time
_IN_TIME = 0.85  # sequences are in time if a step's median distance is at most this share of that of half a sequence
_NUMBER = re.compile("[0-9]+")
_LISTED = 20  # pairs of each split
_START = 16  # places that are looked at before all others
_CHUNK = 1 << 14  # images whose bits are unpacked at once
_BANDS_AT_ONCE = 4  # whose keys are held, 8 bytes for each image and band


class _Images(NamedTuple):
    """The images of a split, sorted by name: names [N], and difference hashes uint64 [N, 4]."""

    names: list[str]
    hashes: np.ndarray


def leakage(counts: Mapping[Role, Sequence[ShardStatistics]]) -> dict[HeldOut, NearTrain]:
    """Find the images of validation and test that have a near neighbor in train; the order of examples is free.

    An image of train is a near neighbor if it looks alike: the distance of their difference hashes, which is the share
    of bits that only one of the two has set, is at most ALIKE. It is also one if it is the step before or after in a
    sequence, which are file names that differ in one number, and sequences are in time: the images of a step look more
    alike than images half a sequence apart.
    """
    images = {role: _images(parts) for role, parts in counts.items()}
    steps, look_alike = _steps(images), _look_alike(images)
    splits: dict[HeldOut, NearTrain] = {}
    for role in HELD_OUT:
        alike = look_alike[role]
        following = {name: pair for name, pair in steps[role].items() if name not in alike}
        nearest = sorted((distance, name, near) for name, (distance, near) in (alike | following).items())
        splits[role] = NearTrain(
            share=round(len(nearest) / max(len(images[role].names), 1), 6),
            alike=len(alike),
            following=len(following),
            pairs=[Neighbor(image=name, train=near, distance=round(d, 3)) for d, name, near in nearest[:_LISTED]],
        )
    return splits


def _images(parts: Sequence[ShardStatistics]) -> _Images:
    names = [name for part in parts for name in part.names]
    hashes = np.frombuffer(b"".join(part.hashes for part in parts), np.uint64).reshape(len(names), _WORDS)
    order = sorted(range(len(names)), key=names.__getitem__)
    return _Images([names[i] for i in order], hashes[order])


def hash_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Jaccard distance of hashes uint64 [N, 4], which a flat part of both images does not lower; [N]."""
    either, differ = _bits_of(first | second), _bits_of(first ^ second)
    return np.where(either < _FEWEST_EDGES, 1.0, differ / np.maximum(either, 1))


def _bits_of(hashes: np.ndarray) -> np.ndarray:
    """Return the number of set bits of hashes uint64 [N, 4], int64 [N]; word by word is faster than a sum over them."""
    counts, total = np.bitwise_count(hashes), np.zeros(len(hashes), np.int64)
    for word in range(_WORDS):
        total += counts[:, word]
    return total


# Images that look alike.


def _look_alike(images: Mapping[Role, _Images]) -> dict[HeldOut, dict[str, tuple[float, str]]]:
    """Return, by split and name, the distance and the name of the nearest image of train that looks alike."""
    train = images["train"]
    nearest = {role: _Nearest.none(len(images[role].names)) for role in HELD_OUT}
    for start in range(0, _BANDS, _BANDS_AT_ONCE):
        bands = range(start, start + _BANDS_AT_ONCE)
        keys = {role: _keys(of_split.hashes, bands) for role, of_split in images.items()}
        for number, of_train in enumerate(keys["train"]):
            order = np.argsort(of_train, kind="stable")
            for role in HELD_OUT:
                for mine, others in _sharing(keys[role][number], of_train[order], order):
                    distance = hash_distance(images[role].hashes.take(mine, axis=0), train.hashes.take(others, axis=0))
                    nearest[role].update(mine, others, distance)
    return {role: nearest[role].alike(images[role].names, train.names) for role in HELD_OUT}


class _Nearest(NamedTuple):
    """The nearest image of train that was found for each image: its distance, float64 [N], and its index, int64 [N]."""

    distance: np.ndarray
    place: np.ndarray

    @classmethod
    def none(cls, images: int) -> "_Nearest":
        """Return that nothing was found."""
        return cls(np.ones(images), np.zeros(images, np.int64))

    def update(self, mine: np.ndarray, others: np.ndarray, distance: np.ndarray) -> None:
        """Keep the images of train `others` that are nearer to `mine`, ascending, or as near and first."""
        starts = np.flatnonzero(np.append(True, mine[1:] != mine[:-1]))
        nearest = np.minimum.reduceat(distance, starts)
        is_nearest = distance == np.repeat(nearest, np.diff(starts, append=len(mine)))
        first = np.minimum.reduceat(np.where(is_nearest, others, np.iinfo(np.int64).max), starts)
        each = mine[starts]
        better = (nearest < self.distance[each]) | ((nearest == self.distance[each]) & (first < self.place[each]))
        self.distance[each[better]], self.place[each[better]] = nearest[better], first[better]

    def alike(self, names: Sequence[str], of_train: Sequence[str]) -> dict[str, tuple[float, str]]:
        """Return, by name, the distance and the name of the nearest image of train, if it looks alike."""
        found = np.flatnonzero(self.distance <= ALIKE).tolist()
        return {names[i]: (float(self.distance[i]), of_train[self.place[i]]) for i in found}


def _keys(hashes: np.ndarray, bands: range) -> np.ndarray:
    """Return the keys of each image in some bands, uint64 [bands, N].

    A key is the first set bit in each of eight fixed orders of the bits (MinHash: Broder, 1997). Two images agree in
    one order with a probability of 1 minus their distance.
    """
    orders = [_order(number) for number in range(bands.start * _BAND, bands.stop * _BAND)]
    first = np.empty((len(hashes), len(orders)), np.uint8)
    for start in range(0, len(hashes), _CHUNK):
        bits = np.unpackbits(hashes[start : start + _CHUNK].view(np.uint8), axis=1)
        masks = np.negative(bits.T.copy())  # 255 where a bit is set
        for number, order in enumerate(orders):
            first[start : start + _CHUNK, number] = _first(masks, order)
    return first.view(np.uint64).T.copy()


def _order(number: int) -> np.ndarray:
    """Return the bits' places in an order that is the same everywhere, int64 [256]."""
    keys = np.frombuffer(hashlib.shake_256(str(number).encode()).digest(256 * 8), np.uint64)
    return np.argsort(keys, kind="stable")


def _first(masks: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the first place in an order whose bit is set, uint8 [N], from masks uint8 [256, N] of 255 where it is."""
    places = order.astype(np.uint8)
    found = np.full(masks.shape[1], places[_START - 1])
    for place in places[_START - 2 :: -1]:
        found ^= (found ^ place) & masks[place]
    late = np.flatnonzero(~masks[order[:_START]].any(axis=0))  # few images have no edge in so many places
    found[late] = places[masks[:, late][order].argmax(axis=0)]
    return found


def _sharing(keys: np.ndarray, of_train: np.ndarray, order: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the indices of images and, next to each, of one of train with the same key, until all pairs are yielded.

    An image is in at most _MOST_OF_A_BAND pairs, so that images that are all alike take no longer.

    Args:
        keys: of the images.
        of_train: the sorted keys of train.
        order: the indices of train's images in the order of their keys.
    """
    starts = np.searchsorted(of_train, keys, "left")
    counts = np.minimum(np.searchsorted(of_train, keys, "right") - starts, _MOST_OF_A_BAND)
    return ((mine, order.take(places)) for mine, places in pairs(starts, counts))


# Steps of a sequence.


def _steps(images: Mapping[Role, _Images]) -> dict[Role, dict[str, tuple[float, str]]]:
    """Return, by split and name, the nearer of an image's steps to train: distance and name; none out of time."""
    roles = list(images)
    role_of = np.repeat(np.arange(len(roles)), [len(of_split.names) for of_split in images.values()])
    names = [name for of_split in images.values() for name in of_split.names]
    hashes = np.concatenate([of_split.hashes for of_split in images.values()])
    before, after, half_before, half_after = _pairs(names)
    distances = hash_distance(hashes.take(before, axis=0), hashes.take(after, axis=0))
    found: dict[Role, dict[str, tuple[float, str]]] = {role: {} for role in images}
    others = hash_distance(hashes.take(half_before, axis=0), hashes.take(half_after, axis=0))
    if len(distances) < _FEWEST_STEPS or np.median(distances) > _IN_TIME * np.median(others):
        return found
    train = roles.index("train")
    for mine, other in ((before, after), (after, before)):
        into_train = np.flatnonzero((role_of[mine] != train) & (role_of[other] == train))
        columns = (column[into_train].tolist() for column in (mine, other, distances))
        for one, near, distance in zip(*columns, strict=True):
            pair, of_role = (distance, names[near]), found[roles[role_of[one]]]
            of_role[names[one]] = min(pair, of_role.get(names[one], pair))
    return found


def _pairs(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the two ends of each step of the sequences, and of as many pairs half a sequence apart; int64 [N]."""
    ends: tuple[list[np.ndarray], ...] = ([], [], [], [])
    for numbers, places in _sequences(names):
        steps = np.diff(numbers)
        usual = np.flatnonzero(steps <= np.median(steps))
        half = len(places) // 2
        pairs_found = (places[usual], places[usual + 1], places[:-half], places[half:])
        for parts, found in zip(ends, pairs_found, strict=True):
            parts.append(found)
    before, after, half_before, half_after = (np.concatenate([np.empty(0, np.int64), *parts]) for parts in ends)
    return before, after, half_before, half_after


def _sequences(names: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the sequences of at least _SHORTEST names that differ in one number: numbers and indices of names, sorted.

    Of several numbers in names of one form, the one with the most values counts the images.
    """
    forms: dict[str, array[int]] = defaultdict(partial(array, "q"))
    for place, name in enumerate(names):
        forms[_NUMBER.sub("0", name)].append(place)
    for form, places in forms.items():
        columns = len(_NUMBER.findall(form))
        if not columns or len(places) < _SHORTEST:
            continue
        column = _counting_column([names[place] for place in places], columns)
        sequences: dict[tuple[str, ...], array[int]] = defaultdict(partial(array, "q"))
        for place in places:
            row = _NUMBER.findall(names[place])
            sequences[*row[:column], *row[column + 1 :]].append(place)
        yield from (_sorted(names, of_one, column) for of_one in sequences.values() if len(of_one) >= _SHORTEST)


def _counting_column(names: Sequence[str], columns: int) -> int:
    """Return which of the numbers in names of one form has the most values, of several the last."""
    if columns == 1:
        return 0
    values: list[set[str]] = [set() for _ in range(columns)]
    for name in names:
        for found, number in zip(values, _NUMBER.findall(name), strict=True):
            found.add(number)
    return max(range(columns), key=lambda column: (len(values[column]), column))


def _sorted(names: Sequence[str], places: Sequence[int], column: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers in one column of names and the names' places, by number."""
    numbers = [int(_NUMBER.findall(names[place])[column]) for place in places]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    return np.array([numbers[i] for i in order]), np.array(places, np.int64)[order]
