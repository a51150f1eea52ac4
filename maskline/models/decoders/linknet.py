"""LinkNet: decoder blocks with a bottleneck, whose outputs are added to the encoder's features.

Chaurasia and Culurciello, VCIP 2017.
"""

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, norm_relu, scaled, up_conv
from maskline.models.layers.dropout import MonteCarloDropout


def linknet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode with as many channels as the encoder down to stride 4; the last layers have 32 channels at width 64."""
    x = MonteCarloDropout(dropout)(features.deepest)
    stride = features.output_stride
    while stride > 4:
        stride //= 2
        skip = features.at(stride)
        x = layers.Add()([_block(x, skip.shape[-1]), skip])
    x = _block(x, scaled(64, width), strides=1)
    x = norm_relu(up_conv(x, scaled(32, width), kernel=3))
    x = conv(x, scaled(32, width))
    return Decoded(layers.Conv2DTranspose(classes, 2, strides=2, padding="same", dtype="float32")(x), 1)


def _block(x: keras.KerasTensor, channels: int, strides: int = 2) -> keras.KerasTensor:
    """1x1 convolution to a quarter of the channels, transposed 3x3 convolution, 1x1 convolution to `channels`."""
    narrow = max(1, x.shape[-1] // 4)
    x = norm_relu(up_conv(conv(x, narrow, kernel=1), narrow, kernel=3, strides=strides))
    return conv(x, channels, kernel=1)
