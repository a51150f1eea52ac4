"""Statistics of a shard's examples before and after conversion; the audit combines those of all shards."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from maskline.contracts.classes import VOID
from maskline.contracts.fit import Size

_DIGEST = 16  # bytes
_HASH_SIDE = 16  # the difference hash has the square of this number of bits


@dataclass
class ShardStatistics:
    """Counts over a shard's examples, and the name and hashes of each example, which fill most of the memory."""

    pixels: np.ndarray  # int64 [C]
    images_with_class: np.ndarray  # int64 [C]
    void_pixels: int = 0  # without padding
    padding_pixels: int = 0
    cropped_pixels: int = 0  # of resized images
    sizes: set[tuple[int, int]] = field(default_factory=set)
    conversions: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    digests: bytearray = field(default_factory=bytearray)  # SHA-256 of the decoded pixels, its first 16 bytes
    hashes: bytearray = field(default_factory=bytearray)  # difference hash, 32 bytes per example


def count(statistics: ShardStatistics, image: Image.Image, labels: np.ndarray, conversions: tuple[str, ...]) -> None:
    """Add one example: its decoded image, its resized labels uint8 [H, W] without padding, and its conversions."""
    histogram = np.bincount(labels.ravel(), minlength=256)
    of_classes = histogram[: len(statistics.pixels)]
    statistics.pixels += of_classes
    statistics.images_with_class += of_classes > 0
    statistics.void_pixels += int(histogram[VOID])
    for conversion in conversions:
        statistics.conversions[conversion] = statistics.conversions.get(conversion, 0) + 1
    statistics.digests += hashlib.sha256(image.tobytes()).digest()[:_DIGEST]
    statistics.hashes += difference_hash(image)


def count_fit(statistics: ShardStatistics, scaled: Size, size: Size) -> None:
    """Add the pixels that pad adds to a resized image, or that crop cuts off it, to give it the shards' size."""
    added = size[0] * size[1] - scaled[0] * scaled[1]
    statistics.padding_pixels += max(0, added)
    statistics.cropped_pixels += max(0, -added)


def difference_hash(image: Image.Image) -> bytes:
    """Return 256 bits: whether each cell of a small gray copy is brighter than its left neighbor."""
    gray = np.asarray(image.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX))
    return np.packbits(gray[:, 1:] > gray[:, :-1]).tobytes()
