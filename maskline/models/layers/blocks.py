"""Blocks that several encoders and decoders share."""

import keras
from keras import layers

from maskline.models.layers.normalization import batch_norm

_PAPER_WIDTH = 64


def scaled(channels: int, width: int) -> int:
    """Return a paper's number of channels, which is for width 64, scaled to another width."""
    return max(1, channels * width // _PAPER_WIDTH)


def norm_relu(x: keras.KerasTensor) -> keras.KerasTensor:
    """Batch normalization, then ReLU."""
    return layers.ReLU()(batch_norm(x))


def conv(x: keras.KerasTensor, channels: int, kernel: int = 3, rate: int = 1, strides: int = 1) -> keras.KerasTensor:
    """Convolution, batch normalization, ReLU; He initialization (He et al., ICCV 2015)."""
    x = layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        dilation_rate=rate,
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return norm_relu(x)


def double_conv(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Two 3x3 convolutions, as at every level of U-Net."""
    return conv(conv(x, channels), channels)


def separable_conv(x: keras.KerasTensor, channels: int, rate: int = 1) -> keras.KerasTensor:
    """Depthwise 3x3 convolution, then 1x1 convolution, each with batch normalization and ReLU (DeepLabv3+)."""
    x = layers.DepthwiseConv2D(
        3, padding="same", dilation_rate=rate, use_bias=False, depthwise_initializer="he_normal"
    )(x)
    return conv(norm_relu(x), channels, kernel=1)


def up_conv(x: keras.KerasTensor, channels: int, kernel: int = 2, strides: int = 2) -> keras.KerasTensor:
    """Transposed convolution; stride 2 doubles height and width."""
    return layers.Conv2DTranspose(channels, kernel, strides=strides, padding="same", kernel_initializer="he_normal")(x)


def head(x: keras.KerasTensor, classes: int, kernel: int = 1, rate: int = 1) -> keras.KerasTensor:
    """Convolution to logits, in float32 under every precision so that losses are accurate."""
    return layers.Conv2D(classes, kernel, padding="same", dilation_rate=rate, dtype="float32")(x)
