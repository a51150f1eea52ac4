"""figures.json: every figure of the test split, and what it was measured on; baseline.json: an earlier run's copy."""

from pathlib import Path

from pydantic import ConfigDict

from maskline.contracts.about import Resolution
from maskline.contracts.folders import EVALUATION
from maskline.contracts.numbers import Count
from maskline.contracts.tables import ClassRow, ConventionRow, HeadlineRow
from maskline.files.records import Record

PATH = EVALUATION / "figures.json"
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


class Figures(Record):
    """The figures of one run. Another version of maskline may read them as its baseline, so unknown keys are ignored.

    Attributes:
        test_split: SHA-256 of the manifest's entry for the test split.
        resolution: scored at the shards' size, or at each image's own.
        images: of the test split.
        headlines: the rows of headlines.csv.
        classes: the rows of classes.csv.
        conventions: the rows of conventions.csv.
    """

    model_config = ConfigDict(extra="ignore")

    test_split: str
    resolution: Resolution
    images: Count
    headlines: list[HeadlineRow]
    classes: list[ClassRow]
    conventions: list[ConventionRow]
