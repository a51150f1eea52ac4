"""The audit of the data: sizes, class shares and their drift, void, conversions, and duplicates across splits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from maskline.contracts.annotations import AnnotationCounts
from maskline.contracts.audit import Audit, GroupCounts, OriginalSize
from maskline.contracts.classes import Role
from maskline.contracts.manifest import Manifest
from maskline.shards.write.duplicates import duplicates
from maskline.shards.write.leakage import leakage
from maskline.shards.write.shard_statistics import ShardStatistics

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
