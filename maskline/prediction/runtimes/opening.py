"""The choice of a runtime by the kind of a model file."""

from pathlib import Path

from maskline.errors import InputError
from maskline.messages import without_stderr
from maskline.prediction.runtime import Runtime


def open_runtime(path: Path) -> Runtime:
    """Load a .keras, .onnx or .tflite file, or a SavedModel's folder.

    Raises:
        ArtifactError: the file is missing, damaged, or not a model of this project.
        InputError: the file is of another kind, or its engine is not installed.
    """
    # Each engine is imported only where a file needs it.
    if path.suffix == ".keras":
        with without_stderr():
            from maskline.prediction.runtimes.keras import open_keras

        return open_keras(path)
    if path.suffix == ".onnx":
        from maskline.prediction.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(path)
    if path.suffix == ".tflite":
        from maskline.prediction.runtimes.litert import LiteRtRuntime

        return LiteRtRuntime(path)
    if path.is_dir():
        with without_stderr():
            from maskline.prediction.runtimes.saved_model import SavedModelRuntime

        return SavedModelRuntime(path)
    raise InputError(
        f"{path} is not a .keras, .onnx or .tflite file, nor the folder of a SavedModel; name one of these."
    )
