"""pictures.json: the test images that evaluate draws, in groups."""

from typing import Literal, get_args

from maskline.contracts.folders import EVALUATION
from maskline.contracts.numbers import Length, Share
from maskline.files.records import Record

PATH = EVALUATION / "pictures.json"

Kind = Literal["image", "truth", "prediction", "errors", "uncertainty", "mutual_information"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Group = Literal["best", "worst", "uncertain", "random"]
GROUPS: tuple[Group, ...] = get_args(Group)


class Picture(Record):
    """A test image, the folder of its pictures, and its scores, which are None if it has no valid pixel.

    Attributes:
        filename: the image's name in the data set.
        folder: of its pictures, relative to the folder of pictures.json.
        height: of each picture, pixels.
        width: of each picture, pixels.
        mean_iou: over the classes in its ground truth or prediction.
        pixel_accuracy: the share of its valid pixels that are right.
        uncertainty: mean over its pixels.
        classes: names of the classes in its ground truth or prediction.
    """

    filename: str
    folder: str
    height: Length
    width: Length
    mean_iou: Share | None
    pixel_accuracy: Share | None
    uncertainty: Share
    classes: list[str]


class Pictures(Record):
    """The kinds of picture of each image, and the images of each group; an image may be in several groups."""

    kinds: list[Kind]
    best: list[Picture]
    worst: list[Picture]
    uncertain: list[Picture]
    random: list[Picture]

    def group(self, name: Group) -> list[Picture]:
        """Return the images of a group, in order of rank."""
        return getattr(self, name)


def picture_path(folder: str, kind: Kind) -> str:
    """Return the path of a picture in an image's `folder`, relative to the folder of pictures.json."""
    return f"{folder}/{kind}.png"
