"""A .keras file, run by TensorFlow."""

import functools
from pathlib import Path

import numpy as np
import tensorflow as tf

from maskline.contracts.model_info import ModelInfo, model_info
from maskline.engine.allocator import keep_freed_memory
from maskline.models.ensemble import AnyModel
from maskline.models.files import load_model
from maskline.prediction.runtime import Sampling

_IMAGES = tf.TensorSpec([None, None, None, 3], tf.uint8)


class KerasRuntime:
    """A model of this project, traced once for images of any size.

    Args:
        model: the model.
        path: its file, named in messages.
    """

    fixed_size = None

    def __init__(self, model: AnyModel, path: Path = Path("the model")) -> None:
        self.stride = model.stride
        self.sampling = Sampling(
            model.get_config()["architecture"],
            len(model.class_names),
            bool(model.dropouts),
            model.samples,
            self._sample,
        )
        self._model, self._path = model, path
        self._probabilities = tf.function(model.probabilities, input_signature=[_IMAGES])
        self._sampled = tf.function(model.sampled, input_signature=[_IMAGES, tf.TensorSpec([], tf.int32)])

    @functools.cached_property
    def info(self) -> ModelInfo:
        """The classes and the input of the model.

        Raises:
            ArtifactError: the model does not record the size of its training images.
        """
        return model_info(self._path, self._model.get_config())

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 [B, H, W, C] for images uint8 [B, H, W, 3], RGB."""
        found: np.ndarray = self._probabilities(images).numpy()
        return found

    def _sample(self, images: np.ndarray, number: int) -> np.ndarray:
        found: np.ndarray = self._sampled(images, tf.constant(number)).numpy()
        return found


def open_keras(path: Path) -> KerasRuntime:
    """Load a .keras file.

    Raises:
        ArtifactError: the file is missing, damaged, or not a model of this project.
    """
    keep_freed_memory()
    return KerasRuntime(load_model(path), path)
