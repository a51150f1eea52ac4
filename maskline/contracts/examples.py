"""examples/index.json: the examples of each split that preprocess draws as small pictures."""

from maskline.contracts.classes import Role
from maskline.contracts.folders import SHARDS
from maskline.files.records import Record

FOLDER = SHARDS / "examples"
PATH = FOLDER / "index.json"


class Examples(Record):
    """File names of the examples of each split, in the order of their pictures."""

    train: list[str]
    validation: list[str]
    test: list[str]


def picture_name(role: Role, number: int) -> str:
    """Return the name of an example's picture in FOLDER; its left half shows the image, its right half the mask."""
    return f"{role}-{number}.png"
