"""The audit of the data: sizes, class shares and their drift, void, conversions, and duplicates across splits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from maskline.contracts.annotations import AnnotationCounts
from maskline.contracts.audit import Audit, Duplicates, GroupCounts, OriginalSize
from maskline.contracts.classes import Role
from maskline.contracts.manifest import Manifest
from maskline.shards.write.leakage import leakage
from maskline.shards.write.shard_statistics import ShardStatistics

_NEAR_BITS = 8  # near duplicates differ in at most this many of 256 bits
_LISTED_PAIRS = 50
_LISTED_GROUPS = 20
_CONVERSIONS = ("greyscale", "alpha", "sixteen_bit", "palette", "exif_rotated")


def audit(
    manifest: Manifest,
    counts: Mapping[Role, Sequence[ShardStatistics]],
    left_out_by_lists: int,
    left_out_by_limit: dict[Role, int],
    annotations: AnnotationCounts | None = None,
    groups: GroupCounts | None = None,
    left_out_by_folds: int | None = None,
) -> Audit:
    """Combine the statistics of each split's shards.

    Args:
        manifest: of the shards.
        counts: the statistics of every shard, by split.
        left_out_by_lists: number of the source's images that are in no split.
        left_out_by_limit: number of examples of each split beyond dataset.limit.
        annotations: what became of the source's annotations.
        groups: from `audit_groups`; None without dataset.group.
        left_out_by_folds: number of the source's test images that folds leave out; None without dataset.folds.

    Returns:
        The audit; shares are rounded to 6 digits.
    """
    names = [c.name for c in manifest.classes]
    pixels = {role: _total(part.pixels for part in parts) for role, parts in counts.items()}
    shares = {role: total / max(total.sum(), 1) for role, total in pixels.items()}
    with_class = {role: _total(part.images_with_class for part in parts) for role, parts in counts.items()}
    all_parts = [part for parts in counts.values() for part in parts]
    sizes = sorted({size for part in all_parts for size in part.sizes}, key=lambda size: (size[0] * size[1], size))
    return Audit(
        source=manifest.source,
        height=manifest.height,
        width=manifest.width,
        encoding=manifest.encoding,
        images={role: sum(len(part.names) for part in parts) for role, parts in counts.items()},
        left_out_by_lists=left_out_by_lists,
        left_out_by_limit=left_out_by_limit,
        original_size=OriginalSize(smallest=list(sizes[0]), largest=list(sizes[-1])),
        void_share={role: _void_share(parts) for role, parts in counts.items()},
        padding_share={role: _added_share(parts, "padding_pixels") for role, parts in counts.items()},
        cropped_share={role: _added_share(parts, "cropped_pixels") for role, parts in counts.items()},
        class_share={role: _by_name(names, share.round(6)) for role, share in shares.items()},
        images_with_class={role: _by_name(names, total) for role, total in with_class.items()},
        class_drift={role: _drift(shares["train"], shares[role]) for role in counts if role != "train"},
        converted=_converted(all_parts),
        duplicates=duplicates(counts),
        annotations=annotations,
        leakage=leakage(counts),
        groups=groups,
        left_out_by_folds=left_out_by_folds,
    )


def audit_groups(groups: Mapping[Role, Sequence[str]], unused: int) -> GroupCounts:
    """Count the groups of each split, and those that are in several.

    Args:
        groups: of the examples of each split.
        unused: number of entries of the user's CSV that name no image.
    """
    roles: dict[str, list[Role]] = {}
    for role, of_split in groups.items():
        for group in sorted(set(of_split)):
            roles.setdefault(group, []).append(role)
    cut = sorted(group for group, held in roles.items() if len(held) > 1)
    return GroupCounts(
        splits={role: len(set(of_split)) for role, of_split in groups.items()},
        cut=len(cut),
        cut_groups=[(group, roles[group]) for group in cut[:_LISTED_GROUPS]],
        unused=unused,
    )


def _total(vectors: Iterable[np.ndarray]) -> np.ndarray:
    return np.sum(list(vectors), axis=0)


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    return dict(zip(names, values.tolist(), strict=True))


def _converted(parts: Iterable[ShardStatistics]) -> dict[str, int]:
    """Return the images by conversion: the usual ones always, others where there are any."""
    counts = dict.fromkeys(_CONVERSIONS, 0)
    for part in parts:
        for kind, count in part.conversions.items():
            counts[kind] = counts.get(kind, 0) + count
    return counts


def _void_share(parts: Sequence[ShardStatistics]) -> float:
    return round(sum(part.void_pixels for part in parts) / _shown(parts), 6)


def _added_share(parts: Sequence[ShardStatistics], name: Literal["padding_pixels", "cropped_pixels"]) -> float:
    added = sum(getattr(part, name) for part in parts)
    return round(added / (added + _shown(parts)), 6)


def _shown(parts: Iterable[ShardStatistics]) -> int:
    """Return the number of pixels, without padding and what is cut off."""
    return sum(part.void_pixels + int(part.pixels.sum()) for part in parts)


def _drift(train: np.ndarray, other: np.ndarray) -> float:
    """Return the total variation distance of two class distributions, 0 to 1."""
    return round(float(np.abs(train - other).sum() / 2), 6)


def duplicates(counts: Mapping[Role, Sequence[ShardStatistics]]) -> Duplicates:
    """Find exact and near duplicates in different splits; equal images of one split count once."""
    parts = [part for of_split in counts.values() for part in of_split]
    names = [name for part in parts for name in part.names]
    roles = list(counts)
    splits = np.repeat(np.arange(len(roles)), [sum(len(p.names) for p in of_split) for of_split in counts.values()])
    digests = np.frombuffer(b"".join(part.digests for part in parts), np.uint64).reshape(len(names), -1)
    hashes = np.frombuffer(b"".join(part.hashes for part in parts), np.uint64).reshape(len(names), -1)
    kept = _first_of_each(splits, digests)
    splits, digests, hashes = splits[kept], digests[kept], hashes[kept]
    exact, first_exact = _count(_exact(digests, splits))
    near, first_near = _count(_near(digests, hashes, splits))
    listed: list[tuple[Literal["exact", "near"], int, int]] = [("exact", *pair) for pair in first_exact]
    listed += [("near", *pair) for pair in first_near]
    shown = {i: f"{roles[splits[i]]}/{names[kept[i]]}" for _, *pair in listed[:_LISTED_PAIRS] for i in pair}
    pairs = [(kind, shown[a], shown[b]) for kind, a, b in listed[:_LISTED_PAIRS]]
    return Duplicates(exact=exact, near=near, pairs=pairs)


def _first_of_each(splits: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """Return the indices of the first image of each split and digest, ascending."""
    order = np.lexsort((*digests.T, splits))
    rows = np.column_stack([splits.astype(np.uint64), digests])[order]
    return np.sort(order[np.append(True, (rows[1:] != rows[:-1]).any(axis=1))])


def _exact(digests: np.ndarray, splits: np.ndarray) -> Iterator[np.ndarray]:
    for pairs in _sharing(digests[:, 0], splits):
        yield pairs[(digests[pairs[:, 0]] == digests[pairs[:, 1]]).all(axis=1)]


def _near(digests: np.ndarray, hashes: np.ndarray, splits: np.ndarray) -> Iterator[np.ndarray]:
    """Yield near duplicates that are not exact. They share a band of bits, by the pigeonhole principle."""
    bands = _bands(hashes)
    for number, band in enumerate(bands):
        for pairs in _sharing(band, splits):
            found_before = (bands[:number, pairs[:, 0]] == bands[:number, pairs[:, 1]]).any(axis=0)
            a, b = pairs[~found_before].T
            near = np.bitwise_count(hashes[a] ^ hashes[b]).sum(axis=1) <= _NEAR_BITS
            yield np.column_stack([a, b])[near & (digests[a] != digests[b]).any(axis=1)]


def _bands(hashes: np.ndarray) -> np.ndarray:
    """Return each image's bits in bands, uint64 [bands, N]: one more than the number of bits that may differ.

    A band takes every ninth bit, so that images with the same flat sky do not all share one. Bits of different words
    have different places in them, so that one word holds the band.
    """
    count = _NEAR_BITS + 1
    bands = np.zeros((count, len(hashes)), np.uint64)
    for number in range(count):
        for word in range(hashes.shape[1]):
            mask = sum(1 << bit for bit in range(64) if (64 * word + bit) % count == number)
            bands[number] |= hashes[:, word] & np.uint64(mask)
    return bands


def _sharing(keys: np.ndarray, splits: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pairs of images with the same key in different splits, int64 [pairs, 2], the lower index first.

    Memory is a few numbers per image, even if many images share a key. `splits` must be in ascending order.
    """
    order = np.argsort(keys, kind="stable")
    keys, splits = keys[order], splits[order]
    others = keys[1:] != keys[:-1]
    starts = _starts(others)
    ends = _starts(others | (splits[1:] != splits[:-1]))  # where the earlier splits' images with the key end
    places = np.arange(len(keys))
    for distance in range(len(keys)):
        places = places[starts[places] + distance < ends[places]]
        if not len(places):
            return
        yield np.column_stack([order[starts[places] + distance], order[places]])


def _starts(changes: np.ndarray) -> np.ndarray:
    """Return the start of each place's run; `changes`, bool [N - 1], is true if the next place starts a new run."""
    return np.maximum.accumulate(np.append(0, np.arange(1, len(changes) + 1) * changes))


def _count(found: Iterable[np.ndarray]) -> tuple[int, list[tuple[int, int]]]:
    """Return the number of pairs, and the lowest pairs, at most _LISTED_PAIRS."""
    count, lowest = 0, np.empty((0, 2), np.int64)
    for pairs in found:
        if len(pairs):
            count += len(pairs)
            lowest = np.concatenate([lowest, pairs])
            lowest = lowest[np.lexsort(lowest.T[::-1])[:_LISTED_PAIRS]]
    return count, [(first, second) for first, second in lowest.tolist()]
