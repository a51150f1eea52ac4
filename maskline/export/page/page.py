"""The page: the template, filled with a model, its info, and the runtime that runs it."""

import base64
import gzip
from pathlib import Path

from markupsafe import Markup

from maskline.export.page.web_runtime import VERSION, WebRuntime, web_runtime
from maskline.files.artifacts import write_bytes
from maskline.files.html import joined, rendered
from maskline.prediction.runtimes.onnx import OnnxRuntime

TEMPLATE = Path(__file__).parent / "template"
SCRIPT = ("png.js", "page.js")
WORKER = (
    "worker/decode.js",
    "worker/resize.js",
    "worker/fit.js",
    "worker/windows.js",
    "worker/labels.js",
    "png.js",
    "worker/worker.js",
)


def write_page(onnx_path: Path, out: Path, runtime: WebRuntime | None = None) -> None:
    """Write one HTML file that holds a model and all that labels pictures with it in a browser.

    The file opens from the disk, and its content security policy forbids every request.

    Args:
        onnx_path: an exported model.
        out: the HTML file.
        runtime: ONNX Runtime Web; None: from the cache or the npm registry.

    Raises:
        ArtifactError: the model is missing, damaged, or was not exported by maskline.
        InputError: ONNX Runtime Web is not available.
    """
    info = OnnxRuntime(onnx_path).export
    runtime = runtime or web_runtime()
    page = rendered(
        TEMPLATE,
        SCRIPT,
        worker=Markup(joined(TEMPLATE, WORKER)),
        info=info,
        runtime_version=VERSION,
        packed={
            "module": _packed(runtime.module),
            "wasm": _packed(runtime.wasm),
            "model": _packed(onnx_path.read_bytes()),
        },
    )
    write_bytes(out, page.encode())


def _packed(data: bytes) -> str:
    """Return compressed data as text that a script element can hold."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()
