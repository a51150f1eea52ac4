"""The interface of decoders, and the definition of an architecture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import keras
import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Features:
    """The features of an encoder, from shallow to deep.

    Attributes:
        levels: float [B, H / stride, W / stride, channels] each.
        strides: of each level, in ascending order; a dilated encoder repeats its last stride.
        encoder: its name, for decoders whose channels depend on it.
    """

    levels: tuple[keras.KerasTensor, ...]
    strides: tuple[int, ...]
    encoder: str = ""

    def at(self, stride: int) -> keras.KerasTensor:
        """Return the deepest features with this stride.

        Raises:
            KeyError: the encoder has no features with this stride.
        """
        return dict(zip(self.strides, self.levels, strict=True))[stride]

    @property
    def of_vgg(self) -> bool:
        """Whether these are features of VGG, from before each pooling, for decoders that do not take U-Net's."""
        return self.strides[0] == 1

    @property
    def deepest(self) -> keras.KerasTensor:
        """The last features, with stride `output_stride`."""
        return self.levels[-1]

    @property
    def output_stride(self) -> int:
        """The stride of the deepest features."""
        return self.strides[-1]


class Decoded(NamedTuple):
    """What a decoder returns.

    Attributes:
        logits: float32 [B, H / stride, W / stride, C].
        stride: of the logits, which are then upsampled bilinearly to the image's size.
        extras: further outputs by name, for the architecture's `auxiliary_loss`.
        fine: features at stride 4 from which PointRend predicts; None: the encoder's.
    """

    logits: keras.KerasTensor
    stride: int
    extras: Mapping[str, keras.KerasTensor] = {}
    fine: keras.KerasTensor | None = None


class Decoder(Protocol):
    """A function from an encoder's features to logits."""

    def __call__(self, features: Features, classes: int, width: int, dropout: float) -> Decoded:
        """Return the logits.

        Args:
            features: of the encoder.
            classes: number of classes C.
            width: scale of the channels; 64 gives the paper's.
            dropout: share of features dropped in training, in the places where the paper drops them.
        """


class AuxiliaryLoss(Protocol):
    """A function that an architecture adds to the loss of its logits."""

    def __call__(self, outputs: Mapping[str, tf.Tensor], labels: tf.Tensor, loss: Loss) -> tf.Tensor:
        """Return a scalar.

        Args:
            outputs: 'logits' and the decoder's extras, by name.
            labels: integer [B, H, W].
            loss: function of labels and logits.
        """


class Architecture(NamedTuple):
    """A network without its encoder; `catalogue.Network` describes the other attributes.

    Attributes:
        decoder: from features to logits.
        auxiliary_loss: what to add to the loss of the logits, or None.
    """

    decoder: Decoder
    auxiliary_loss: AuxiliaryLoss | None = None
    encoder_dropout: bool = False
    multi_grid: tuple[int, int, int] = (1, 1, 1)
    samples: int = 0
