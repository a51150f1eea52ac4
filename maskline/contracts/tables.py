"""The tables of figures that evaluate writes for `dvc plots` and the report, a record for the row of each."""

from typing import Annotated

from pydantic import ConfigDict, Field

from maskline.contracts.folders import METRICS
from maskline.contracts.numbers import Cell, Count, Length, Share
from maskline.files.records import Record

HEADLINES = METRICS / "headlines.csv"
CLASSES = METRICS / "classes.csv"
CONVENTIONS = METRICS / "conventions.csv"
CONFUSION = METRICS / "confusion.csv"
CALIBRATION = METRICS / "calibration.csv"
TRIMAP = METRICS / "trimap.csv"
SIZES = METRICS / "sizes.csv"


class HeadlineRow(Record):
    """A headline figure and the ends of its 95 % interval; None: no value."""

    figure: str
    value: Cell
    low: Cell
    high: Cell


class ConventionRow(Record):
    """Mean IoU or pixel accuracy as others compute it, by the convention's name; None: no value."""

    convention: str
    value: Cell


class ConfusionCell(Record):
    """The pixels of one true class with one predicted class, and their share of the true class; None: it has none."""

    actual: str
    predicted: str
    pixels: Count
    share: Cell


class CalibrationBin(Record):
    """The pixels whose confidence is in one bin, their mean confidence and their accuracy; None: there are none.

    `bin` is the bin's middle.
    """

    bin: Share
    confidence: Cell
    accuracy: Cell
    pixels: Count


class TrimapRow(Record):
    """The valid pixels within a distance of a border, in pixels, and their accuracy; None: there are none."""

    distance: Length
    accuracy: Cell
    pixels: Count


class _OfClass(Record):
    model_config = ConfigDict(validate_by_name=True)

    name: Annotated[str, Field(alias="class")]


class ClassRow(_OfClass):
    """A class's IoU and the ends of its 95 % interval, its other figures, and its true pixels; None: no value."""

    iou: Cell
    low: Cell
    high: Cell
    boundary_iou: Cell
    dice: Cell
    precision: Cell
    recall: Cell
    pixels: Count


class SizeRow(_OfClass):
    """A class's IoU over the images in which it is of one size; `size` names a share of the image's valid pixels."""

    size: str
    images: Count
    iou: Cell
