"""images.csv: the figures of each test image."""

from pydantic import ConfigDict

from maskline.contracts.folders import EVALUATION
from maskline.contracts.numbers import Cell, Count, Share
from maskline.files.records import Record

PATH = EVALUATION / "images.csv"


class ImageRow(Record):
    """A test image: its void pixels, its figures, its mean uncertainty, and the IoU of each class as `iou.<class>`.

    None: the image has no valid pixel, or the class is absent from its truth and prediction.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Cell]

    filename: str
    void_pixels: Count
    pixel_accuracy: Cell
    mean_iou: Cell
    uncertainty: Share
