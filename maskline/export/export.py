"""From a .keras file to a file for another runtime, which is written only if it scores as the model does."""

import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskline.comparison.compare import Comparison
from maskline.contracts.manifest import read_manifest
from maskline.contracts.model_info import ExportInfo, Format
from maskline.errors import InputError
from maskline.evaluation.fits import check_fits, seen
from maskline.export.check import passed
from maskline.export.formats import litert, onnx, saved_model
from maskline.export.formats.onnx_int8 import quantize_onnx
from maskline.export.gate import Limits, counted, score
from maskline.export.graph import DEFAULT, Output, in_float32, takes_any_size
from maskline.export.page.page import write_page
from maskline.export.page.web_runtime import web_runtime
from maskline.export.provenance import lock_digest, revision
from maskline.files.artifacts import move, move_directory, sha256
from maskline.models.ensemble import AnyModel
from maskline.models.files import load_model
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.prediction.runtimes.opening import open_runtime
from maskline.prediction.runtimes.saved_model import INFO, VERSION
from maskline.shards.read.reader import ShardReader

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "savedmodel": "", "litert": ".tflite"}
CALIBRATION_IMAGES = 128

_WRITE = {"onnx": onnx.write_onnx, "savedmodel": saved_model.write_saved_model, "litert": litert.write_litert}
_DESCRIBE = {
    "onnx": onnx.describe_onnx,
    "savedmodel": saved_model.describe_saved_model,
    "litert": litert.describe_litert,
}


class Wanted(NamedTuple):
    """The file to export.

    Attributes:
        format: of the file.
        int8: whether weights and activations are quantized.
        labels: whether labels and their confidence are outputs too.
        page: whether an .onnx file is put into a page for browsers.
        web_runtime: a copy of ONNX Runtime Web's tarball for the page; None: from the cache or the registry.
    """

    format: Format
    int8: bool = False
    labels: bool = False
    page: bool = False
    web_runtime: Path | None = None


class Exported(NamedTuple):
    """A file that passed the gate.

    Attributes:
        comparison: of the file with the model on the test images.
        only_size: height and width of the images it takes; None: it takes any.
        seen: the start of a sentence if the model may know the test images, so that the file records no score.
    """

    comparison: Comparison
    only_size: tuple[int, int] | None
    seen: str | None


def export(model_file: Path, out: Path, wanted: Wanted, project: Path, shards: Path, limits: Limits) -> Exported:
    """Export a model, score the file on the test images, and keep it if its score does not fall too far.

    Args:
        model_file: the .keras file.
        out: the file or folder to write.
        wanted: what to write.
        project: the folder of dvc.yaml, whose commit and dvc.lock the file names.
        shards: folder of shards and manifest.
        limits: how far the score may fall.

    Raises:
        Refused: the score falls too far.
        ArtifactError: the model or the shards are missing, damaged, or do not belong together.
        InputError: the network or the format cannot do what is wanted, or `out` is another file's place.
    """
    check_wanted(out, wanted)
    # First of all, because a page cannot be made without it, whatever the model scores.
    page_runtime = web_runtime(wanted.web_runtime) if wanted.page else None
    model = load_model(model_file)
    runtime = KerasRuntime(model, model_file)
    manifest = read_manifest(shards)
    check_fits(model_file, runtime.info, manifest, shards)
    known = seen(model_file, runtime.info, manifest, shards)
    info = _info(model_file, runtime, wanted, project)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        file = Path(folder) / f"model{SUFFIXES[wanted.format]}"
        _write(model, file, info, wanted, shards)
        before = counted(str(model_file), model_file, runtime, shards)
        exported = open_runtime(file)
        after = counted(str(out), out, exported, shards)
        comparison = passed(out, before, after, limits)
        _DESCRIBE[wanted.format](file, info.model_copy(update={"score": None if known else score(after)}))
        if page_runtime:
            page = Path(folder) / "page.html"
            write_page(file, page, page_runtime)
            file = page
        (move_directory if file.is_dir() else move)(file, out)
    return Exported(comparison, exported.fixed_size, known)


def check_wanted(out: Path, wanted: Wanted) -> None:
    """Refuse what cannot be written, or a place that another kind of file belongs to, before any work is done.

    Raises:
        InputError: the format has no int8, or `out` has the suffix of another format, is in no folder, or names what
            `maskline export` does not write.
    """
    if wanted.int8 and wanted.format != "onnx":
        raise InputError("only ONNX files can be quantized; add --format onnx, or leave --int8 out.")
    suffix = ".html" if wanted.page else SUFFIXES[wanted.format]
    if suffix and out.suffix != suffix:
        raise InputError(f"the name of this file must end in {suffix}. Received: {out}; change --output.")
    if suffix and out.is_dir():
        raise InputError(f"{out} is a folder; name a file with --output.")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is not a folder; make it, or name another place with --output.")
    if not suffix:
        _check_folder(out)


def _check_folder(out: Path) -> None:
    """Refuse a folder of which anything but an earlier export would be lost."""
    if out.suffix in (".keras", ".onnx", ".tflite", ".html"):
        raise InputError(f"a SavedModel is a folder, whose name must not end in {out.suffix}. Received: {out}")
    if out.exists() and not (out / VERSION / INFO).is_file():
        raise InputError(f"{out} exists, and no earlier export wrote it; name another folder with --output.")
    if out.exists() and (others := sorted(path.name for path in out.iterdir() if path.name != VERSION)):
        raise InputError(f"{out} also holds {others[0]}, which would be lost; name another folder with --output.")
    if (old := out.with_name(f"{out.name}.old")).exists():
        raise InputError(f"{old} would be lost; rename it, or name another folder with --output.")


def _info(model_file: Path, runtime: KerasRuntime, wanted: Wanted, project: Path) -> ExportInfo:
    any_size = takes_any_size(runtime.sampling.own_samples, wanted.format)
    return ExportInfo(
        model=runtime.info.model_copy(update={"any_size": any_size}),
        format=wanted.format,
        precision="int8" if wanted.int8 else "float32",
        source=sha256(model_file),
        revision=revision(project),
        dvc_lock=lock_digest(project),
        score=None,
        version=version("maskline"),
    )


def _write(model: AnyModel, file: Path, info: ExportInfo, wanted: Wanted, shards: Path) -> None:
    outputs: tuple[Output, ...] = (*DEFAULT, "labels", "confidence") if wanted.labels else DEFAULT
    model = in_float32(model)
    if not wanted.int8:
        _WRITE[wanted.format](model, file, info, outputs)
        return
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        whole = Path(folder) / "float32.onnx"
        onnx.write_onnx(model, whole, info, outputs)
        quantize_onnx(whole, file, info, _training_images(shards))


def _training_images(shards: Path) -> Iterator[np.ndarray]:
    """Yield images uint8 [1, H, W, 3] that are spread evenly over the training split."""
    reader = ShardReader(shards, read_manifest(shards), "train")
    count = min(CALIBRATION_IMAGES, len(reader))
    for index in np.linspace(0, len(reader) - 1, count).astype(int).tolist():
        yield reader.read([index])[0]
