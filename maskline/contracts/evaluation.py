"""evaluation.json: the figures of the test split; and baseline.json, an earlier run's, to compare them with."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_serializer

from maskline.contracts.folders import METRICS
from maskline.files.records import Record

PATH = METRICS / "evaluation.json"
BASELINE = Path("baseline.json")

# The headline figures by key, in the order in which they are shown.
HEADLINES = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "mean_dice": "mean Dice",
    "boundary_iou": "boundary IoU",
    "expected_calibration_error": "calibration error",
}
PER_CLASS = ("iou", "boundary_iou", "dice", "precision", "recall", "pixels")  # as `iou.<class>`

Figure = Annotated[float, Field(allow_inf_nan=False)]


class Interval(Record):
    """A 95 % interval; None: the figure has no value."""

    low: Figure | None
    high: Figure | None


class Evaluation(Record):
    """Flat figures by key, as `Evaluation(mean_iou=0.5)`; None: the figure has no value.

    Attributes:
        interval: of figures, by their key.
        conventions: mean IoU and pixel accuracy as others compute them, by name.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int | Figure | None]

    interval: dict[str, Interval] = Field(default_factory=dict)
    conventions: dict[str, Figure | None] = Field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float | None]:
        """The flat figures by key, in their order."""
        return dict(self.__pydantic_extra__)

    @model_serializer
    def _figures_first(self) -> dict[str, Any]:
        return self.figures | {"interval": self.interval, "conventions": self.conventions}
