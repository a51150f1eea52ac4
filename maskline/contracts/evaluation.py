"""evaluation.json: the few figures of the test split that people decide by, from 0 to 1."""

from maskline.contracts.figures import HEADLINES, Figures
from maskline.contracts.folders import METRICS

PATH = METRICS / "evaluation.json"


def deciding_figures(figures: Figures) -> dict[str, float | None]:
    """Return the headline figures and the IoU of each class as `iou.<class>`; None: the figure has no value."""
    found = {row.figure: row.value for row in figures.headlines}
    headlines = {key: found[key] for key in HEADLINES}
    return headlines | {f"iou.{row.name}": row.iou for row in figures.classes}
