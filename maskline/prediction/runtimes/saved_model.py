"""A SavedModel in TensorFlow Serving's folder layout, run by TensorFlow."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from maskline.contracts.model_info import read_export_info
from maskline.errors import ArtifactError
from maskline.files.records import read_bytes
from maskline.messages import one_line
from maskline.prediction.runtimes.exported import ExportedRuntime

VERSION = "1"
INFO = Path("assets.extra/maskline.json")


class SavedModelRuntime(ExportedRuntime):
    """A folder that `maskline export --format savedmodel` wrote.

    Raises:
        ArtifactError: the folder is missing, damaged, or was not exported by maskline.
    """

    def __init__(self, path: Path) -> None:
        folder = path / VERSION
        super().__init__(read_export_info(path, read_bytes(folder / INFO).decode(errors="replace")))
        try:
            self._loaded = tf.saved_model.load(folder)  # kept, because the function does not hold its variables
            self._serve = self._loaded.signatures["serving_default"]
        except Exception as error:  # TensorFlow passes on any error of its readers
            raise ArtifactError(path, f"cannot be loaded ({one_line(error)})") from None

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 [B, H, W, C] for images uint8 [B, H, W, 3], RGB."""
        found: np.ndarray = self._serve(images=tf.constant(images))["probabilities"].numpy()
        return found
