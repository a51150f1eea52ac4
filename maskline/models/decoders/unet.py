"""U-Net: an expanding path that concatenates the encoder's features at every level.

Ronneberger, Fischer and Brox, MICCAI 2015. Padded convolutions keep the size, and batch normalization follows each, as
in most later work.
"""

from collections.abc import Callable

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import double_conv, head, up_conv
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import NearestUpsampling


def unet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode from the deepest features up, with `width` channels at stride 1, twice as many at each deeper level.

    Dropout is at the end of the contracting path, as in the paper.
    """
    return _expanding(features, classes, width, dropout, up_conv)


def unet_nearest(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode as `unet` does, with nearest neighbor and a 2x2 convolution in place of each transposed convolution.

    They have as many weights. Every output pixel gets equally many inputs, which avoids the checkerboard patterns of
    transposed convolutions (Odena, Dumoulin and Olah, Distill 2016).
    """
    return _expanding(features, classes, width, dropout, _nearest_conv)


def _expanding(
    features: Features,
    classes: int,
    width: int,
    dropout: float,
    doubled: Callable[[keras.KerasTensor, int], keras.KerasTensor],
) -> Decoded:
    x = MonteCarloDropout(dropout)(features.deepest)
    for level in reversed(range(features.output_stride.bit_length() - 1)):
        x = doubled(x, width * 2**level)
        if 2**level in features.strides:
            x = layers.Concatenate()([features.at(2**level), x])
        x = double_conv(x, width * 2**level)
    return Decoded(head(x, classes), 1)


def _nearest_conv(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    return layers.Conv2D(channels, 2, padding="same", kernel_initializer="he_normal")(NearestUpsampling()(x))
