"""The interface of everything that runs a model: Keras, ONNX Runtime, a SavedModel, LiteRT."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from maskline.contracts.model_info import ModelInfo


class Sampling(NamedTuple):
    """The dropout of a model that can be sampled.

    Attributes:
        name: of the architecture.
        classes: number of classes C.
        drops: whether the network has dropout.
        own_samples: number of samples that the architecture averages by itself; 0: it does not sample.
        sampled: function of images uint8 [B, H, W, 3] and a number from 1 on, on which the masks depend; it returns the
            probabilities float32 [B, H, W, C] of one pass with dropout.
    """

    name: str
    classes: int
    drops: bool
    own_samples: int
    sampled: Callable[[np.ndarray, int], np.ndarray]


class Runtime(Protocol):
    """A model that is ready to predict."""

    @property
    def info(self) -> ModelInfo:
        """The classes and the input of the model."""

    @property
    def stride(self) -> int:
        """The output stride of the encoder."""

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """The only height and width that the model takes; None: it takes images of any size."""

    @property
    def sampling(self) -> Sampling | None:
        """The model's dropout; None: an exported file has none."""

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 [B, H, W, C] for images uint8 [B, H, W, 3], RGB."""
