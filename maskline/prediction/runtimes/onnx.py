"""An .onnx file, run by ONNX Runtime; TensorFlow is not needed."""

from pathlib import Path
from typing import Any

import numpy as np

from maskline.contracts.model_info import read_export_info
from maskline.engine.cores import cores
from maskline.errors import ArtifactError
from maskline.messages import one_line
from maskline.prediction.runtimes.engines import load_engine
from maskline.prediction.runtimes.exported import ExportedRuntime


class OnnxRuntime(ExportedRuntime):
    """A file that `maskline export --format onnx` wrote.

    Args:
        path: the file.
        threads: of one prediction; None: one for each core.

    Raises:
        ArtifactError: the file is missing, damaged, or was not exported by maskline.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._session = _session(path, threads)
        super().__init__(read_export_info(path, self._session.get_modelmeta().custom_metadata_map.get("maskline")))

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 [B, H, W, C] for images uint8 [B, H, W, 3], RGB."""
        found: np.ndarray = self._session.run(["probabilities"], {"images": images})[0]
        return found


def _session(path: Path, threads: int | None) -> Any:
    onnxruntime = load_engine("onnxruntime", path)
    if not path.is_file():
        raise ArtifactError(path, "is missing")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as well
    options.intra_op_num_threads = threads or cores()
    # Threads that spin while they wait would take the cores from decoding and writing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has an exception for each of its codes
        raise ArtifactError(path, f"cannot be loaded ({one_line(error)})") from None
