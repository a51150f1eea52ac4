"""What the stages before report write, as types that say what is wrong with a file."""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from maskline.contracts.classes import ClassInfo, Role

SPLITS: tuple[Role, ...] = get_args(Role)
GROUPS = ("best", "worst", "uncertain", "random")
Kind = Literal["image", "truth", "prediction", "errors", "uncertainty", "mutual_information"]

Count = Annotated[int, Field(ge=0)]
Length = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Figure = Annotated[float, Field(allow_inf_nan=False)]
HeightWidth = Annotated[list[int], Field(min_length=2, max_length=2)]
# A CSV has no null: what is not known is an empty cell.
Cell = Annotated[Share | None, BeforeValidator(lambda value: None if value == "" else value)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class SourceName(_Record):
    """The data set as TFDS knows it."""

    name: str
    version: str


class Manifest(_Record):
    """The part of the shards' manifest that the page needs; height and width in pixels."""

    source: SourceName
    height: Length
    width: Length
    classes: Annotated[list[ClassInfo], Field(min_length=1)]

    @field_validator("classes")
    @classmethod
    def _drawable(cls, classes: list[ClassInfo]) -> list[ClassInfo]:
        """Refuse what is no colour, for it is written into the page's style."""
        for wrong in (c for c in classes if not re.fullmatch("#[0-9a-fA-F]{6}", c.color)):
            raise ValueError(f"the color of {wrong.name} must be '#rrggbb', not {wrong.color!r}")
        return classes


class OriginalSize(_Record):
    """Height and width in pixels before resizing."""

    smallest: HeightWidth
    largest: HeightWidth


class Duplicates(_Record):
    """Pairs of images that stand in two splits: counts, and the first pairs as kind, one image, the other."""

    exact: Count
    near: Count
    pairs: list[tuple[Literal["exact", "near"], str, str]]


class Audit(_Record):
    """What preprocess found in the data; shares are of valid pixels, 0 to 1."""

    images: dict[Role, Count]
    left_out_by_lists: Count
    left_out_by_limit: dict[Role, Count]
    original_size: OriginalSize
    void_share: dict[Role, Share]
    class_share: dict[Role, dict[str, Share]]
    images_with_class: dict[Role, dict[str, Count]]
    class_drift: dict[Literal["validation", "test"], Share]
    converted: dict[str, Count]
    duplicates: Duplicates

    @model_validator(mode="after")
    def _whole(self) -> "Audit":
        for field in ("images", "left_out_by_limit", "void_share", "class_share", "images_with_class"):
            lacking = [split for split in SPLITS if split not in getattr(self, field)]
            if lacking:
                raise ValueError(f"{field} lacks {lacking[0]}")
        return self


class Epoch(_Record):
    """One row of the history; `best` marks an epoch whose weights were kept."""

    epoch: Count
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_pixel_accuracy: float
    validation_mean_iou: float
    best: bool


class Interval(_Record):
    """A 95 % interval; None where the figure has no value."""

    low: Figure | None
    high: Figure | None


class Metrics(BaseModel):
    """Flat figures, among them one per class as `iou.<class>`; their intervals; and others' conventions by name."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="allow")
    __pydantic_extra__: dict[str, Figure | None]

    interval: dict[str, Interval] = {}
    conventions: dict[str, Figure | None] = {}

    @property
    def figures(self) -> dict[str, float | None]:
        """The flat figures by key; None: there is nothing to judge by."""
        return self.__pydantic_extra__


class About(_Record):
    """How the figures were made.

    Attributes:
        shards: SHA-256 of the shards' manifest.
        resolution: scored at the shards' size, or at each image's own.
        inference: options by name, nested at will.
        versions: of libraries, by name.
        conventions: what each convention of the metrics means, by its name.
    """

    classes: list[str]
    shards: str
    resolution: Literal["model", "native"]
    inference: dict[str, Any]
    versions: dict[str, str] = {}
    conventions: dict[str, str] = {}


class Picture(_Record):
    """A test image whose pictures of height x width stand in `folder`; None: it has no valid pixel."""

    filename: str
    folder: str
    height: Length
    width: Length
    mean_iou: Share | None
    pixel_accuracy: Share | None
    uncertainty: Share
    classes: list[str]


class Pictures(_Record):
    """The predictions chosen for the page, and the kinds of picture of each; an image may stand in several groups."""

    kinds: list[Kind]
    best: list[Picture]
    worst: list[Picture]
    uncertain: list[Picture]
    random: list[Picture]


class ConfusionCell(_Record):
    """Pixels of one true class that were given one predicted class."""

    actual: str
    predicted: str
    pixels: Count


class ImageRow(_Record):
    """What the page needs of one test image's row."""

    void_pixels: Count


class CalibrationBin(_Record):
    """Pixels of like confidence: their mean confidence and their accuracy, None where there are none."""

    confidence: Cell
    accuracy: Cell
    pixels: Count


class TrimapRow(_Record):
    """Valid pixels within a distance of a border, in pixels, and the share of them that are right."""

    distance: Length
    accuracy: Cell
    pixels: Count


class SizeRow(_Record):
    """A class's IoU over the images in which it is of one size; `size` names a share of the image's valid pixels."""

    name: Annotated[str, Field(alias="class")]
    size: str
    images: Count
    iou: Cell


class Examples(_Record):
    """File names of the examples that preprocess drew of each split."""

    train: list[str]
    validation: list[str]
    test: list[str]
