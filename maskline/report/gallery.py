"""The images of the page, each once, with the groups it was chosen for."""

from collections.abc import Sequence
from dataclasses import dataclass

from maskline.report.schema import GROUPS, Picture, Pictures


@dataclass(frozen=True)
class Card:
    """A picture, the groups it stands in with its rank in each (from 1), and its classes' places in the list."""

    picture: Picture
    ranks: dict[str, int]
    classes: list[int]


def unique(pictures: Pictures) -> list[Picture]:
    """Return every picture once, in the order of the groups and of the ranks in them."""
    return list({picture.folder: picture for group in GROUPS for picture in getattr(pictures, group)}.values())


def cards(pictures: Pictures, names: Sequence[str]) -> list[Card]:
    """Return one card per image; `names` are the classes in order, and hold every picture's."""
    ranks: dict[str, dict[str, int]] = {}
    for group in GROUPS:
        for rank, picture in enumerate(getattr(pictures, group), 1):
            ranks.setdefault(picture.folder, {})[group] = rank
    return [
        Card(picture, ranks[picture.folder], sorted(map(names.index, picture.classes))) for picture in unique(pictures)
    ]
