"""The images of the page, each once, with the groups it was chosen for."""

from collections.abc import Sequence
from dataclasses import dataclass

from maskline.contracts.pictures import GROUPS, Group, Picture, Pictures


@dataclass(frozen=True)
class Card:
    """An image, its rank (from 1) in each group that it is in, and the indices of its classes."""

    picture: Picture
    ranks: dict[Group, int]
    classes: list[int]


def unique(pictures: Pictures) -> list[Picture]:
    """Return every picture once, in the order of the groups and of the ranks in them."""
    return list({picture.folder: picture for group in GROUPS for picture in pictures.group(group)}.values())


def cards(pictures: Pictures, names: Sequence[str]) -> list[Card]:
    """Return one card per image; `names` are the classes in order, and hold every picture's."""
    ranks: dict[str, dict[Group, int]] = {}
    for group in GROUPS:
        for rank, picture in enumerate(pictures.group(group), 1):
            ranks.setdefault(picture.folder, {})[group] = rank
    return [
        Card(picture, ranks[picture.folder], sorted(map(names.index, picture.classes))) for picture in unique(pictures)
    ]
