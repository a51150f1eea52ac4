"""What the report shows, read and checked: the data set, its audit, the history, the metrics, the pictures."""

import csv
import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from maskline.classes import ClassInfo, Role
from maskline.errors import InputError

MANIFEST = Path("data/shards/manifest.json")
AUDIT = Path("data/shards/audit.json")
HISTORY = Path("data/model/history.csv")
METRICS = Path("metrics/evaluation.json")
CONFUSION = Path("data/evaluation/confusion.npz")
PICTURES = Path("data/evaluation/pictures.json")

SPLITS: tuple[Role, ...] = get_args(Role)
HEADLINE = ("mean_iou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "mean_dice")
PER_CLASS = ("iou", "dice", "precision", "recall", "pixels")
KINDS = ("image", "truth", "prediction", "errors", "uncertainty")

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[list[int], Field(min_length=2, max_length=2)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class SourceName(_Record):
    """The data set as TFDS knows it."""

    name: str
    version: str


class Manifest(_Record):
    """The part of the shards' manifest that the page needs; height and width in pixels."""

    source: SourceName
    height: Count
    width: Count
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

    smallest: Size
    largest: Size


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


class Picture(_Record):
    """A test image whose pictures stand in `folder`, below data/evaluation; None: it has no valid pixel."""

    filename: str
    folder: str
    mean_iou: Share | None
    pixel_accuracy: Share | None


class Pictures(_Record):
    """The predictions chosen for the page."""

    best: list[Picture]
    worst: list[Picture]
    random: list[Picture]


@dataclass(frozen=True)
class Inputs:
    """All that the page shows of one run.

    Attributes:
        confusion: int64 [C, C], pixels of the test split; rows are truth, columns prediction.
        void: pixels of the test split that count for nothing.
        folder: where the run lies; pictures are read from below it.
    """

    manifest: Manifest
    audit: Audit
    history: list[Epoch]
    metrics: dict[str, float | None]
    confusion: np.ndarray
    void: int
    pictures: Pictures
    folder: Path


def read_inputs(folder: Path) -> Inputs:
    """Read what the earlier stages left in a run's folder.

    Raises:
        InputError: a file is missing, damaged, or of another run than the rest.
    """
    manifest = _read_json(folder / MANIFEST, Manifest)
    names = [c.name for c in manifest.classes]
    confusion, void = _read_confusion(folder / CONFUSION, len(names))
    return Inputs(
        manifest=manifest,
        audit=_read_audit(folder / AUDIT, names),
        history=_read_history(folder / HISTORY),
        metrics=_read_metrics(folder / METRICS, names),
        confusion=confusion,
        void=void,
        pictures=_read_json(folder / PICTURES, Pictures),
        folder=folder,
    )


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        InputError: the file is missing.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} is missing; run `dvc repro` to make it.") from None


def damaged(path: Path, reason: object) -> InputError:
    """Return the error for a file that is not what its stage writes."""
    return InputError(f"{path} is damaged: {' '.join(str(reason).split())}; run `dvc repro` to make it anew.")


def _read_json(path: Path, model: Any) -> Any:
    try:
        return TypeAdapter(model).validate_json(read_bytes(path))
    except ValidationError as error:
        raise damaged(path, _first(error)) from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    reason = first["msg"].removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason


def _read_audit(path: Path, names: list[str]) -> Audit:
    audit = _read_json(path, Audit)
    for split in SPLITS:
        _require(path, f"class_share.{split}", audit.class_share[split], names)
        _require(path, f"images_with_class.{split}", audit.images_with_class[split], names)
    return audit


def _read_metrics(path: Path, names: list[str]) -> dict[str, float | None]:
    metrics = _read_json(path, dict[str, Annotated[float, Field(allow_inf_nan=False)] | None])
    wanted = ["images", *HEADLINE, *(f"{figure}.{name}" for figure in PER_CLASS for name in names)]
    _require(path, "the file", metrics, wanted)
    return metrics


def _require(path: Path, place: str, values: dict, keys: Iterable[str]) -> None:
    for key in keys:
        if key not in values:
            raise damaged(path, f"{place} lacks {json.dumps(key, ensure_ascii=False)}")


def _read_history(path: Path) -> list[Epoch]:
    try:
        rows = list(csv.DictReader(read_bytes(path).decode().splitlines()))
        history = [Epoch.model_validate(row) for row in rows]
    except UnicodeDecodeError as error:
        raise damaged(path, error) from None
    except ValidationError as error:
        raise damaged(path, _first(error)) from None
    if not history:
        raise damaged(path, "it holds no epoch")
    return history


def _read_confusion(path: Path, classes: int) -> tuple[np.ndarray, int]:
    """Return the data set's matrix and its number of void pixels, summed over images."""
    if not path.is_file():
        read_bytes(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            matrices, void = file["matrices"], file["void"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from None
    if matrices.ndim != 3 or matrices.shape[1:] != (classes, classes):
        raise damaged(
            path,
            f"matrices must be [N, {classes}, {classes}] as the manifest has {classes} classes, "
            f"not {list(matrices.shape)}",
        )
    return matrices.sum(axis=0, dtype=np.int64), int(void.sum())
