"""run.json: what a folder of predictions was made from, so that a run goes on where it was stopped."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import field_validator

from maskline.errors import ArtifactError, InputError
from maskline.files.artifacts import sha256, write_json
from maskline.files.records import Record, read_record
from maskline.prediction.coco import Form
from maskline.prediction.inputs import ImageFile
from maskline.prediction.options import Options

NAME = "run.json"
_SHARE = 0.1  # of the time that writing the record may take


class ImageRecord(Record):
    """An image of the run.

    Attributes:
        state: whether it is predicted; a bad image could not be.
        sha256: of its file; None unless it is done.
        height: in pixels.
        width: in pixels.
        pixels: of each class.
        confidence: sum over the pixels of each class.
    """

    state: Literal["waiting", "done", "bad"]
    sha256: str | None = None
    height: int | None = None
    width: int | None = None
    pixels: tuple[int, ...] = ()
    confidence: tuple[float, ...] = ()


class RunRecord(Record):
    """The content of run.json.

    Attributes:
        format: of the file.
        model: its SHA-256.
        options: of the prediction.
        coco: the form of masks in coco.json; None: the run does not write it.
        images: by name.
    """

    format: Literal[1]
    model: str
    options: Options
    coco: Form | None = None
    images: dict[str, ImageRecord]

    @field_validator("images")
    @classmethod
    def _inside(cls, images: dict[str, ImageRecord]) -> dict[str, ImageRecord]:
        for name in images:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.name:
                raise ValueError(f"{name!r} is not a path below the folder")
        return images


class Run:
    """The state of a run, which is written from time to time.

    Args:
        out: the output folder.
        model: SHA-256 of the model.
        options: of the prediction.
        coco: the form of masks in coco.json; None: it is not written.
        images: that are known already.
    """

    def __init__(
        self, out: Path, model: str, options: Options, coco: Form | None, images: dict[str, ImageRecord]
    ) -> None:
        self._out, self._model, self._options = out, model, options
        self.coco, self.images = coco, images
        self._due = 0.0

    def set(self, image: ImageFile, record: ImageRecord) -> None:
        """Record an image, and write the record unless that was done a moment ago."""
        self.images[image.name] = record
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Write run.json."""
        start = time.monotonic()
        record = {
            "format": 1,
            "model": self._model,
            "options": self._options.model_dump(mode="json"),
            "coco": self.coco,
            "images": {name: image.model_dump(exclude_defaults=True) for name, image in self.images.items()},
        }
        write_json(self._out / NAME, record)
        end = time.monotonic()
        self._due = end + (end - start) / _SHARE


def model_digest(path: Path) -> str:
    """Return the SHA-256 of a model file in hex, or of the names and digests in a model's folder.

    Raises:
        ArtifactError: it is missing.
    """
    if not path.exists():
        raise ArtifactError(path, "is missing")
    if path.is_file():
        return sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def open_run(
    out: Path, model: str, options: Options, images: Sequence[ImageFile], *, coco: Form | None = None, force: bool
) -> Run:
    """Return the run of an output folder: a new one, or one that is there and goes on.

    A run that goes on without a form for coco.json keeps the one that it has, so that the file stays complete.

    Args:
        out: the output folder, which is made if needed.
        model: SHA-256 of the model.
        options: of the prediction.
        images: to predict.
        coco: the form of masks in coco.json, if it is asked for.
        force: whether to remove the earlier run in the folder, and to overwrite other files there.

    Raises:
        InputError: the folder is a file, holds another model's predictions or those with other options, or holds files
            that the run would overwrite.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is not a folder; name another output folder.")
    before = _earlier(out, model, options, force=force)
    if not force:
        _check_free(out, before, images, coco)
    known = _without_replaced(before.images, images) if before else {}
    waiting = {image.name: ImageRecord(state="waiting") for image in images if image.name not in known}
    run = Run(out, model, options, coco or (before.coco if before else None), known | waiting)
    run.write()
    return run


def _earlier(out: Path, model: str, options: Options, *, force: bool) -> RunRecord | None:
    """Return the record of the run that is in the folder and goes on; with `force`, remove the run."""
    if not (out / NAME).exists():
        return None
    try:
        record = read_record(out / NAME, RunRecord)
    except ArtifactError as error:
        if not force:
            raise InputError(f"{error}; name another output folder, or give --force to replace it.") from None
        _check_without_outputs(out, error)
        return None
    if force:
        _remove(out, record)
        return None
    if difference := _difference(record, model, options):
        raise InputError(
            f"{out} holds predictions {difference}; name another output folder, or give --force to replace them."
        )
    return record


def _check_without_outputs(out: Path, error: ArtifactError) -> None:
    """Refuse to mix a new run with the outputs of one whose record cannot be read."""
    folders = [out / "labels", out / "overlays"]
    if any(folder.is_dir() and any(folder.iterdir()) for folder in folders):
        raise InputError(f"{error}; remove {folders[0]} and {folders[1]}, or name another output folder.")


def _without_replaced(known: dict[str, ImageRecord], images: Sequence[ImageFile]) -> dict[str, ImageRecord]:
    """Return the records without those of bad images whose outputs' names another image takes."""
    names = {_stem(image.name): image.name for image in images}
    return {
        name: record for name, record in known.items() if record.state != "bad" or names.get(_stem(name), name) == name
    }


def _difference(record: RunRecord, model: str, options: Options) -> str | None:
    if record.model != model:
        return f"of another model (SHA-256 {record.model[:12]}, not {model[:12]})"
    before, now = record.options.model_dump(), options.model_dump()
    changed = [f"{name} {before[name]}, not {now[name]}" for name in now if before[name] != now[name]]
    return f"with other options ({'; '.join(changed)})" if changed else None


def _remove(out: Path, record: RunRecord) -> None:
    """Remove the outputs of an earlier run; its record goes last, so that a kill leaves it with what is left."""
    for name in record.images:
        for path in outputs(out, ImageFile(Path(name), name)):
            path.unlink(missing_ok=True)
    for name in ("areas.csv", *(["coco.json"] if record.coco else []), NAME):
        (out / name).unlink(missing_ok=True)


def _check_free(out: Path, before: RunRecord | None, images: Sequence[ImageFile], coco: Form | None) -> None:
    """Refuse to overwrite a file that no record lists."""
    known = before.images if before else {}
    stems = {_stem(name): name for name, record in known.items() if record.state != "bad"}
    paths = [] if before else [out / "areas.csv"]
    if not before or (coco and not before.coco):
        paths.append(out / "coco.json")
    for image in images:
        other = stems.get(_stem(image.name), image.name)
        if other != image.name:
            raise InputError(
                f"{out} holds the prediction of another image, {other}, as {image.stem}.png; name another output "
                "folder, or rename one of the two."
            )
        if image.name not in known:
            paths += outputs(out, image)
    for path in paths:
        if path.exists():
            raise InputError(
                f"{path} is there already and is not of this run; name another output folder, or give --force to "
                "overwrite it."
            )


def outputs(out: Path, image: ImageFile) -> tuple[Path, Path]:
    """Return the paths of an image's labels and of its overlay."""
    return out / "labels" / f"{image.stem}.png", out / "overlays" / f"{image.stem}.jpg"


def _stem(name: str) -> str:
    """Return what the outputs of two images must not share, even on a disk that ignores case."""
    return ImageFile(Path(name), name).stem.casefold()
