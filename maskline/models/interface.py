"""What an architecture is: its decoder, and what more its training and inference need."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Decoded(NamedTuple):
    """What a decoder returns.

    Attributes:
        logits: float32 [B, H / stride, W / stride, C].
        stride: theirs; they are upsampled bilinearly to the image's size.
        extras: further outputs by name, for the architecture's `auxiliary_loss`.
    """

    logits: keras.KerasTensor
    stride: int
    extras: Mapping[str, keras.KerasTensor] = {}


class Architecture(NamedTuple):
    """A network less its encoder.

    Attributes:
        decoder: function of (features, strides, classes, width, dropout): the encoder's features from shallow to deep,
            their strides, the number of classes, the channels' scale (64: the paper's), and the share of features
            dropped in training where the paper drops them. Returns `Decoded`.
        auxiliary_loss: function of (outputs, labels, loss) that returns a scalar to add to the loss of the logits:
            'logits' and the decoder's extras, labels [B, H, W], and the loss of labels and logits.
        encoder_dropout: drop features inside the encoder too, where it is one that can.
        multi_grid: give the blocks of the encoder's last stage the rates 1, 2, 4, where it is a ResNet.
        samples: passes with dropout at inference, whose probabilities are averaged; 0: one pass without.
    """

    decoder: Callable[..., Decoded]
    auxiliary_loss: Callable[[Mapping[str, tf.Tensor], tf.Tensor, Loss], tf.Tensor] | None = None
    encoder_dropout: bool = False
    multi_grid: bool = False
    samples: int = 0
