"""The page: the template, filled with a model, its info, and the runtime that runs it."""

import base64
import gzip
import hashlib
from pathlib import Path

import onnxruntime
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import ValidationError

from maskline.contracts.model_info import ExportInfo
from maskline.errors import InputError
from maskline.export.page.web_runtime import VERSION, web_runtime
from maskline.files.artifacts import write_bytes
from maskline.files.records import first_problem
from maskline.messages import one_line

TEMPLATE = Path(__file__).parent / "template"
SCRIPT = ("png.js", "page.js")
WORKER = ("worker/decode.js", "worker/resize.js", "worker/labels.js", "png.js", "worker/worker.js")


def write_page(onnx_path: Path, out: Path, tarball: Path | None = None) -> None:
    """Write one HTML file that holds a model and all that labels pictures with it in a browser.

    The file opens from the disk, and its content security policy forbids every request.

    Args:
        onnx_path: an exported model, with input `images`, uint8 [1, H, W, 3], and output `probabilities`,
            float32 [1, H, W, C].
        out: the HTML file.
        tarball: a copy of ONNX Runtime Web's tarball; None: from the cache or the npm registry.

    Raises:
        InputError: the model is not of this project or damaged, or ONNX Runtime Web cannot be had.
    """
    info = read_export_info(onnx_path)
    runtime = web_runtime(tarball)
    script = _joined(SCRIPT)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("page.html.jinja").render(
        style=Markup((TEMPLATE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        worker=Markup(_joined(WORKER)),
        info=info,
        runtime_version=VERSION,
        packed={
            "module": _packed(runtime.module),
            "wasm": _packed(runtime.wasm),
            "model": _packed(onnx_path.read_bytes()),
        },
    )
    write_bytes(out, page.encode())


def read_export_info(path: Path) -> ExportInfo:
    """Read what an ONNX file says about itself, and check that it is a model that the page can run.

    Raises:
        InputError: the file is missing, not an ONNX file that ONNX Runtime loads, or not of this project.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; export a model to it with format onnx first.")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has an exception for each status, without a common base
        raise InputError(
            f"{path} is not an ONNX file that can be loaded ({one_line(error)}); export it again."
        ) from None
    names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
    stored = session.get_modelmeta().custom_metadata_map.get("maskline")
    if stored is None or not {"images", "probabilities"} <= names:
        raise InputError(f"{path} is not a model of maskline; export one with format onnx.")
    try:
        return ExportInfo.model_validate_json(stored)
    except ValidationError as error:
        raise InputError(f"{path} is damaged at {first_problem(error)}; export it again.") from None


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((TEMPLATE / name).read_text(encoding="utf-8") for name in names)


def _packed(data: bytes) -> str:
    """Return compressed data as text that a script element can hold."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()
