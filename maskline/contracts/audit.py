"""audit.json: what preprocess found in the data."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from maskline.contracts.annotations import AnnotationCounts
from maskline.contracts.classes import ROLES, Role
from maskline.contracts.folders import SHARDS
from maskline.contracts.manifest import Encoding, Origin
from maskline.contracts.numbers import Count, Length, Share
from maskline.files.records import Record

PATH = SHARDS / "audit.json"

HeightWidth = Annotated[list[Length], Field(min_length=2, max_length=2)]


class OriginalSize(Record):
    """Height and width in pixels of the smallest and the largest image before resizing."""

    smallest: HeightWidth
    largest: HeightWidth


class Duplicates(Record):
    """Pairs of images in two splits: their counts, and the first pairs as kind, one image, the other.

    `near_is_least` is true if so many images are alike that not all were compared; there may be more near duplicates.
    """

    exact: Count
    near: Count
    near_is_least: Annotated[bool, Field(exclude_if=lambda is_least: not is_least)] = False
    pairs: list[tuple[Literal["exact", "near"], str, str]]


class GroupCounts(Record):
    """The groups of images that dataset.group makes.

    Attributes:
        splits: number of groups, by split.
        cut: groups in several splits, which only the source's own lists can make.
        cut_groups: the first of them, each with its splits.
        unused: entries of the user's CSV that name no image.
    """

    splits: dict[Role, Count]
    cut: Count
    cut_groups: list[tuple[str, list[Role]]]
    unused: Count


HeldOut = Literal["validation", "test"]
HELD_OUT: tuple[HeldOut, ...] = get_args(HeldOut)


class Neighbor(Record):
    """An image of validation or test, its near neighbor in train, and the distance of their difference hashes."""

    image: str
    train: str
    distance: Share


class NearTrain(Record):
    """The images of a split that have a near neighbor in train.

    Attributes:
        share: of the split's images.
        alike: images that look like one of train.
        following: other images whose next or previous frame is in train.
        pairs: the nearest pairs.
    """

    share: Share
    alike: Count
    following: Count
    pairs: list[Neighbor]


class Audit(Record):
    """The data before and after conversion; shares are of valid pixels, 0 to 1.

    Attributes:
        source: the data set's name and version.
        height: of the shards' images, pixels.
        width: of the shards' images, pixels.
        encoding: of the shards' images.
        images: by split.
        left_out_by_lists: images of the source that are in no split.
        left_out_by_limit: images of each split that dataset.limit left out; with dataset.folds, of the source's splits.
        original_size: before resizing.
        void_share: void pixels as a share of all pixels without padding, by split.
        padding_share: pixels that preprocess.fit pad adds, as a share of all pixels, by split.
        cropped_share: pixels that preprocess.fit crop cuts off, as a share of the resized images, by split.
        class_share: by split and class.
        images_with_class: by split and class.
        class_drift: total variation distance of a split's class shares from those of train, 0 to 1.
        converted: images by what made them upright 8-bit RGB.
        duplicates: images in two splits.
        annotations: what became of them; None where masks are files.
        leakage: images of validation and test that have a near neighbor in train.
        groups: None without dataset.group.
        left_out_by_folds: images of the source's own test split, which dataset.folds leaves out; None without folds.
    """

    source: Origin
    height: Length
    width: Length
    encoding: Encoding
    images: dict[Role, Count]
    left_out_by_lists: Count
    left_out_by_limit: dict[Role, Count]
    original_size: OriginalSize
    void_share: dict[Role, Share]
    padding_share: dict[Role, Share]
    cropped_share: dict[Role, Share]
    class_share: dict[Role, dict[str, Share]]
    images_with_class: dict[Role, dict[str, Count]]
    class_drift: dict[HeldOut, Share]
    converted: dict[str, Count]
    duplicates: Duplicates
    annotations: AnnotationCounts | None = None
    leakage: dict[HeldOut, NearTrain]
    groups: GroupCounts | None = None
    left_out_by_folds: Annotated[Count | None, Field(exclude_if=lambda count: count is None)] = None

    @model_validator(mode="after")
    def _whole(self) -> "Audit":
        by_split = ("images", "left_out_by_limit", "void_share", "padding_share", "cropped_share", "class_share")
        for field in (*by_split, "images_with_class"):
            lacking = [role for role in ROLES if role not in getattr(self, field)]
            if lacking:
                raise ValueError(f"{field} lacks {lacking[0]}")
        return self
