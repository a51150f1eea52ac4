"""The most suspicious regions and images of a collection; equal scores are in order of names and places."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from maskline.contracts.audit import HeldOut
from maskline.contracts.suspects import MOST, MOST_PLACES
from maskline.evaluation.suspects.collection import Found

Names = Mapping[HeldOut, Sequence[str]]


class FoundImage(NamedTuple):
    """An image, the sum of its regions' scores, the number of its regions, and the first of them."""

    split: HeldOut
    position: int
    score: float
    number: int
    regions: list[Found]


def ranked(regions: Iterable[Found], names: Names, most: int = MOST) -> tuple[list[Found], list[FoundImage]]:
    """Return at most `most` regions and `most` images, the most suspicious first.

    Args:
        regions: those of one image follow each other.
        names: file names of each split's images.
    """
    first_regions: list[Found] = []
    first_images: list[FoundImage] = []

    def region_order(region: Found) -> tuple[object, ...]:
        return -region.score, names[region.split][region.position], region.split, region.y, region.x, -region.pixels

    def image_order(image: FoundImage) -> tuple[object, ...]:
        return -image.score, names[image.split][image.position], image.split

    for of_image in _by_image(regions):
        of_image.sort(key=region_order)
        first_regions = list(heapq.merge(first_regions, of_image, key=region_order))[:most]
        first, total = of_image[0], round(sum(region.score for region in of_image), 6)
        image = FoundImage(first.split, first.position, total, len(of_image), of_image[:MOST_PLACES])
        first_images = list(heapq.merge(first_images, [image], key=image_order))[:most]
    return first_regions, first_images


def _by_image(regions: Iterable[Found]) -> Iterator[list[Found]]:
    for _, of_image in groupby(regions, key=lambda region: (region.split, region.position)):
        yield list(of_image)
