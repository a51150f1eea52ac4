"""U-Net: an expanding path that concatenates the encoder's features at every level.

Ronneberger, Fischer and Brox, MICCAI 2015. Padded convolutions keep the size, and batch normalisation follows each, as
in most later work.
"""

from collections.abc import Sequence

import keras
from keras import layers

from maskline.models.interface import Decoded
from maskline.models.layers.blocks import double_conv, head, up_conv
from maskline.models.layers.dropout import MonteCarloDropout


def unet(
    features: Sequence[keras.KerasTensor], strides: Sequence[int], classes: int, width: int, dropout: float
) -> Decoded:
    """Decode from the deepest features upwards; `width` channels at stride 1, doubled at each level below.

    Dropout stands at the end of the contracting path, as in the paper.
    """
    skips = dict(zip(strides, features, strict=True))
    x = MonteCarloDropout(dropout)(skips.pop(strides[-1]))
    for level in reversed(range(strides[-1].bit_length() - 1)):
        x = up_conv(x, width * 2**level)
        if 2**level in skips:
            x = layers.Concatenate()([skips[2**level], x])
        x = double_conv(x, width * 2**level)
    return Decoded(head(x, classes), 1)
