"""LinkNet: decoder blocks with a bottleneck, whose outputs are added to the encoder's features.

Chaurasia and Culurciello, VCIP 2017.
"""

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, norm_relu, scaled, up_conv
from maskline.models.layers.dropout import MonteCarloDropout


def linknet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode with as many channels as the encoder; the last layers have 32 channels at width 64.

    Each block's output is added to the input of the encoder's block that it mirrors. The input of ResNet's first block
    is the pooled features of stride 2; they are pooled here, so that it is the same with every encoder.
    """
    x = MonteCarloDropout(dropout)(features.deepest)
    stride = features.output_stride
    while stride > 4:
        stride //= 2
        skip = features.at(stride)
        x = layers.Add()([_block(x, skip.shape[-1]), skip])
    first = _pooled(features.at(2))
    x = layers.Add()([_block(x, first.shape[-1], strides=1), first])
    x = norm_relu(up_conv(x, scaled(32, width), kernel=3))
    x = conv(x, scaled(32, width))
    return Decoded(layers.Conv2DTranspose(classes, 2, strides=2, padding="same", dtype="float32")(x), 1)


def _pooled(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return the maxima of 3x3 windows around every second place, which is ResNet's first pooling."""
    return layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))


def _block(x: keras.KerasTensor, channels: int, strides: int = 2) -> keras.KerasTensor:
    """1x1 convolution to a quarter of the channels, transposed 3x3 convolution, 1x1 convolution to `channels`."""
    narrow = max(1, x.shape[-1] // 4)
    x = norm_relu(up_conv(conv(x, narrow, kernel=1), narrow, kernel=3, strides=strides))
    return conv(x, channels, kernel=1)
