"""A .tflite file, run by LiteRT."""

from pathlib import Path

import numpy as np

from maskline.contracts.model_info import read_export_info
from maskline.engine.cores import cores
from maskline.errors import ArtifactError
from maskline.messages import one_line, without_stderr
from maskline.prediction.runtimes.engines import load_engine
from maskline.prediction.runtimes.exported import ExportedRuntime


class LiteRtRuntime(ExportedRuntime):
    """A file that `maskline export --format litert` wrote. It takes one image at a time.

    Raises:
        ArtifactError: the file is missing, damaged, or was not exported by maskline.
    """

    def __init__(self, path: Path) -> None:
        interpreter = load_engine("ai_edge_litert.interpreter", path)
        if not path.is_file():
            raise ArtifactError(path, "is missing")
        try:
            with without_stderr():
                self._model = interpreter.Interpreter(str(path), num_threads=cores())
                self._model.allocate_tensors()  # says on what it runs
                self._run = self._model.get_signature_runner()
        except Exception as error:  # LiteRT raises whatever its reader meets
            raise ArtifactError(path, f"cannot be loaded ({one_line(error)})") from None
        super().__init__(read_export_info(path, _description(path)))

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 [B, H, W, C] for images uint8 [B, H, W, 3], RGB."""
        return np.concatenate([self._run(images=image[None])["probabilities"] for image in images])


def _description(path: Path) -> str | None:
    """Return the metadata `maskline` of a flatbuffer."""
    schema = load_engine("ai_edge_litert.schema_py_generated", path)
    model = schema.Model.GetRootAs(path.read_bytes())
    for number in range(model.MetadataLength()):
        metadata = model.Metadata(number)
        if metadata.Name() == b"maskline":
            return model.Buffers(metadata.Buffer()).DataAsNumpy().tobytes().decode(errors="replace")
    return None
