"""What the report shows, read and checked against each other: the data set, its audit, the history, the metrics."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from maskline.errors import InputError
from maskline.files.artifacts import sha256
from maskline.report.reading import damaged, first_reason, read_json, read_table
from maskline.report.schema import (
    GROUPS,
    SPLITS,
    About,
    Audit,
    CalibrationBin,
    ConfusionCell,
    Epoch,
    Examples,
    ImageRow,
    Manifest,
    Metrics,
    Pictures,
    SizeRow,
    TrimapRow,
)

MANIFEST = Path("data/shards/manifest.json")
AUDIT = Path("data/shards/audit.json")
EXAMPLES = Path("data/shards/examples/index.json")
HISTORY = Path("data/model/history.csv")
ABOUT = Path("data/evaluation/about.json")
IMAGES = Path("data/evaluation/images.csv")
PICTURES = Path("data/evaluation/pictures.json")
METRICS = Path("metrics/evaluation.json")
CONFUSION = Path("metrics/confusion.csv")
CALIBRATION = Path("metrics/calibration.csv")
TRIMAP = Path("metrics/trimap.csv")
OBJECT_SIZES = Path("metrics/sizes.csv")
BASELINE = Path("baseline.json")

HEADLINE = (
    "mean_iou",
    "pixel_accuracy",
    "mean_accuracy",
    "frequency_weighted_iou",
    "mean_dice",
    "boundary_iou",
    "expected_calibration_error",
)
PER_CLASS = ("iou", "boundary_iou", "dice", "precision", "recall", "pixels")


@dataclass(frozen=True)
class Inputs:
    """All that the page shows of one run.

    Attributes:
        examples: names of the images that preprocess drew, by split.
        baseline: an earlier run's metrics; without figures where there is none.
        confusion: int64 [C, C], pixels of the test split; rows are truth, columns prediction.
        void: pixels of the test split that count for nothing.
        folder: where the run lies; pictures are read from below it.
    """

    manifest: Manifest
    audit: Audit
    examples: Examples
    history: list[Epoch]
    about: About
    metrics: Metrics
    baseline: Metrics
    confusion: np.ndarray
    void: int
    calibration: list[CalibrationBin]
    trimap: list[TrimapRow]
    sizes: list[SizeRow]
    pictures: Pictures
    folder: Path


def read_inputs(folder: Path) -> Inputs:
    """Read what the earlier stages left in a run's folder, and the user's baseline.json.

    Raises:
        InputError: a file is missing, damaged, or of another run than the rest.
    """
    manifest = read_json(folder / MANIFEST, Manifest)
    names = [c.name for c in manifest.classes]
    return Inputs(
        manifest=manifest,
        audit=_read_audit(folder / AUDIT, names),
        examples=read_json(folder / EXAMPLES, Examples),
        history=read_table(folder / HISTORY, Epoch),
        about=_read_about(folder, names),
        metrics=_read_metrics(folder / METRICS, names),
        baseline=_read_baseline(folder / BASELINE),
        confusion=_read_confusion(folder / CONFUSION, names),
        void=sum(row.void_pixels for row in read_table(folder / IMAGES, ImageRow)),
        calibration=read_table(folder / CALIBRATION, CalibrationBin),
        trimap=read_table(folder / TRIMAP, TrimapRow),
        sizes=_read_sizes(folder / OBJECT_SIZES, names),
        pictures=_read_pictures(folder / PICTURES, names),
        folder=folder,
    )


def _read_audit(path: Path, names: list[str]) -> Audit:
    audit = read_json(path, Audit)
    for split in SPLITS:
        _require(path, f"class_share.{split}", audit.class_share[split], names)
        _require(path, f"images_with_class.{split}", audit.images_with_class[split], names)
    return audit


def _read_about(folder: Path, names: list[str]) -> About:
    about = read_json(folder / ABOUT, About)
    if about.classes != names:
        raise damaged(folder / ABOUT, f"its classes are {', '.join(about.classes)}, the shards' {', '.join(names)}")
    if about.shards != sha256(folder / MANIFEST):
        raise damaged(folder / ABOUT, "the shards it was made from are others than those of data/shards")
    return about


def _read_metrics(path: Path, names: list[str]) -> Metrics:
    metrics = read_json(path, Metrics)
    wanted = ["images", *HEADLINE, *(f"{figure}.{name}" for figure in PER_CLASS for name in names)]
    _require(path, "the file", metrics.figures, wanted)
    bounded = [*HEADLINE, *(f"iou.{name}" for name in names)]
    _require(path, "interval", metrics.interval, [key for key in bounded if metrics.figures[key] is not None])
    return metrics


def _read_baseline(path: Path) -> Metrics:
    """Read the metrics to hold the run's against.

    A file, not the metrics of Git's HEAD: the page must be a function of its declared inputs.
    """
    remedy = "copy a metrics/evaluation.json there, or write {} for no baseline"
    try:
        return Metrics.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {remedy}.") from None
    except ValidationError as error:
        raise InputError(f"{path} holds no metrics: {' '.join(first_reason(error).split())}; {remedy}.") from None


def _read_confusion(path: Path, names: list[str]) -> np.ndarray:
    cells = {(cell.actual, cell.predicted): cell.pixels for cell in read_table(path, ConfusionCell)}
    wanted = [(actual, predicted) for actual in names for predicted in names]
    _require(path, "the table", {" / ".join(pair): pixels for pair, pixels in cells.items()}, map(" / ".join, wanted))
    if len(cells) > len(wanted):
        raise damaged(path, f"it holds other classes than the {len(names)} of the shards")
    return np.array([cells[pair] for pair in wanted], np.int64).reshape(len(names), len(names))


def _read_sizes(path: Path, names: list[str]) -> list[SizeRow]:
    rows = read_table(path, SizeRow)
    wanted = (f"{name} / {size}" for name in names for size in {row.size: None for row in rows})
    _require(path, "the table", {f"{row.name} / {row.size}": row for row in rows}, wanted)
    return rows


def _read_pictures(path: Path, names: list[str]) -> Pictures:
    pictures = read_json(path, Pictures)
    unknown = {name for group in GROUPS for p in getattr(pictures, group) for name in p.classes} - set(names)
    if unknown:
        raise damaged(path, f"it names the class {min(unknown)}, which the shards have not")
    return pictures


def _require(path: Path, place: str, values: dict, keys: Iterable[str]) -> None:
    for key in keys:
        if key not in values:
            raise damaged(path, f"{place} lacks {json.dumps(key, ensure_ascii=False)}")
