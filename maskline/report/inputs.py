"""The inputs of the report, read and checked against each other: the data set, its audit, the history, the figures."""

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from maskline.contracts import tables
from maskline.contracts.about import PATH as ABOUT
from maskline.contracts.about import About
from maskline.contracts.audit import PATH as AUDIT
from maskline.contracts.audit import Audit
from maskline.contracts.classes import ROLES
from maskline.contracts.examples import PATH as EXAMPLES
from maskline.contracts.examples import Examples
from maskline.contracts.figures import BASELINE, HEADLINES, Figures
from maskline.contracts.figures import PATH as FIGURES
from maskline.contracts.history import PATH as HISTORY
from maskline.contracts.history import Epoch
from maskline.contracts.images import PATH as IMAGES
from maskline.contracts.images import ImageRow
from maskline.contracts.manifest import PATH as MANIFEST
from maskline.contracts.manifest import Manifest
from maskline.contracts.network import PATH as NETWORK
from maskline.contracts.network import Network
from maskline.contracts.pictures import GROUPS, Pictures
from maskline.contracts.pictures import PATH as PICTURES
from maskline.contracts.suspects import PATH as SUSPECTS
from maskline.contracts.suspects import Suspects
from maskline.contracts.tables import CalibrationBin, ConfusionCell, SizeRow, TrimapRow
from maskline.errors import ArtifactError, InputError
from maskline.files.artifacts import sha256
from maskline.files.records import first_problem, read_record, read_table

SET_BASELINE = f"cp {FIGURES.as_posix()} {BASELINE.as_posix()}"


@dataclass(frozen=True)
class Inputs:
    """All that the page shows of one run.

    Attributes:
        examples: names of the images that preprocess drew, by split.
        figures: of the test split.
        baseline: an earlier run's figures; None: there are none to compare with.
        confusion: int64 [C, C], pixels of the test split; rows are truth, columns prediction.
        void: void pixels of the test split.
        folder: of the run; pictures are read from it.
    """

    manifest: Manifest
    audit: Audit
    examples: Examples
    history: list[Epoch]
    network: Network
    about: About
    figures: Figures
    baseline: Figures | None
    confusion: np.ndarray
    void: int
    calibration: list[CalibrationBin]
    trimap: list[TrimapRow]
    sizes: list[SizeRow]
    pictures: Pictures
    suspects: Suspects
    folder: Path


def read_inputs(folder: Path) -> Inputs:
    """Read what the earlier stages left in a run's folder, and the user's baseline.json.

    Raises:
        ArtifactError: a file is missing, damaged, or of another run than the rest.
        InputError: baseline.json is missing or holds no figures.
    """
    manifest = read_record(folder / MANIFEST, Manifest)
    names = [c.name for c in manifest.classes]
    return Inputs(
        manifest=manifest,
        audit=_read_audit(folder / AUDIT, names),
        examples=read_record(folder / EXAMPLES, Examples),
        history=read_table(folder / HISTORY, Epoch),
        network=read_record(folder / NETWORK, Network),
        about=_read_about(folder, names),
        figures=_read_figures(folder / FIGURES, names),
        baseline=_read_baseline(folder / BASELINE),
        confusion=_read_confusion(folder / tables.CONFUSION, names),
        void=sum(row.void_pixels for row in read_table(folder / IMAGES, ImageRow)),
        calibration=read_table(folder / tables.CALIBRATION, CalibrationBin),
        trimap=read_table(folder / tables.TRIMAP, TrimapRow),
        sizes=_read_sizes(folder / tables.SIZES, names),
        pictures=_read_pictures(folder / PICTURES, names),
        suspects=_read_suspects(folder / SUSPECTS, names),
        folder=folder,
    )


def _read_audit(path: Path, names: list[str]) -> Audit:
    audit = read_record(path, Audit)
    for role in ROLES:
        _require(path, f"class_share.{role}", audit.class_share[role], names)
        _require(path, f"images_with_class.{role}", audit.images_with_class[role], names)
    return audit


def _read_about(folder: Path, names: list[str]) -> About:
    path = folder / ABOUT
    about = read_record(path, About)
    if about.classes != names:
        theirs, ours = ", ".join(about.classes), ", ".join(names)
        raise ArtifactError(path, f"is of the classes {theirs}, but the shards have {ours}")
    if about.shards != sha256(folder / MANIFEST):
        raise ArtifactError(path, f"was made from other shards than those of {folder / MANIFEST}")
    return about


def _read_figures(path: Path, names: list[str]) -> Figures:
    figures = read_record(path, Figures)
    _require(path, "headlines", [row.figure for row in figures.headlines], HEADLINES)
    found = [row.name for row in figures.classes]
    if found != names:
        raise ArtifactError(path, f"is of the classes {', '.join(found)}, but the shards have {', '.join(names)}")
    return figures


def _read_baseline(path: Path) -> Figures | None:
    """Read the figures to compare the run's with.

    They are a file, not the figures of Git's HEAD, because the page must be a function of its declared inputs.
    """
    remedy = f"`{SET_BASELINE}` sets it, and {{}} in it is no baseline"
    try:
        content = path.read_bytes()
        return None if content.strip() == b"{}" else Figures.model_validate_json(content)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {remedy}.") from None
    except ValidationError as error:
        raise InputError(f"{path} is not the copy of a {FIGURES.name}, at {first_problem(error)}; {remedy}.") from None


def _read_confusion(path: Path, names: list[str]) -> np.ndarray:
    cells = {(cell.actual, cell.predicted): cell.pixels for cell in read_table(path, ConfusionCell)}
    wanted = [(actual, predicted) for actual in names for predicted in names]
    _require(path, "the table", {" / ".join(pair) for pair in cells}, map(" / ".join, wanted))
    if len(cells) > len(wanted):
        raise ArtifactError(path, f"holds other classes than the {len(names)} of the shards")
    return np.array([cells[pair] for pair in wanted], np.int64).reshape(len(names), len(names))


def _read_sizes(path: Path, names: list[str]) -> list[SizeRow]:
    rows = read_table(path, SizeRow)
    wanted = (f"{name} / {size}" for name in names for size in {row.size: None for row in rows})
    _require(path, "the table", {f"{row.name} / {row.size}" for row in rows}, wanted)
    return rows


def _read_pictures(path: Path, names: list[str]) -> Pictures:
    pictures = read_record(path, Pictures)
    unknown = {name for group in GROUPS for p in pictures.group(group) for name in p.classes} - set(names)
    if unknown:
        raise ArtifactError(path, f"names the class {min(unknown)}, which the shards do not have")
    return pictures


def _read_suspects(path: Path, names: list[str]) -> Suspects:
    suspects = read_record(path, Suspects)
    places = [place for picture in suspects.pictures for place in picture.places]
    if unknown := {name for place in places for name in (place.label, place.predicted)} - set(names):
        raise ArtifactError(path, f"names the class {min(unknown)}, which the shards do not have")
    return suspects


def _require(path: Path, place: str, values: Container[str], keys: Iterable[str]) -> None:
    for key in keys:
        if key not in values:
            raise ArtifactError(path, f"is damaged: {place} lacks {json.dumps(key, ensure_ascii=False)}")
