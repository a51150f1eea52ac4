"""Blocks that several encoders and decoders share."""

import keras
from keras import layers

# Keras's 0.99, and 0.999 in its MobileNetV2, lag hundreds of steps behind: more than a small data set has.
NORM_MOMENTUM = 0.9

# Where pix2pix (Isola et al., CVPR 2017) starts the weights of its up-sampling.
_PIX2PIX_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


def conv(x: keras.KerasTensor, channels: int, kernel: int = 3) -> keras.KerasTensor:
    """Convolution, batch normalisation, ReLU; He initialisation (He et al., ICCV 2015)."""
    x = layers.Conv2D(channels, kernel, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM)(x)
    return layers.ReLU()(x)


def double_conv(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Two 3x3 convolutions, the step of every U-Net level."""
    return conv(conv(x, channels), channels)


def up_conv(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """U-Net's 2x2 'up-convolution': twice the height and width."""
    return layers.Conv2DTranspose(channels, 2, strides=2, kernel_initializer="he_normal")(x)


def pix2pix_upsample(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Transposed 3x3 convolution of stride 2, batch normalisation, ReLU, as in the pix2pix generator."""
    initializer = keras.initializers.deserialize(_PIX2PIX_INITIALIZER)
    x = layers.Conv2DTranspose(channels, 3, strides=2, padding="same", use_bias=False, kernel_initializer=initializer)(
        x
    )
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM)(x)
    return layers.ReLU()(x)


def head(x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """1x1 convolution to logits, in float32 under every precision so that losses stay exact."""
    return layers.Conv2D(classes, 1, dtype="float32", name="logits")(x)
