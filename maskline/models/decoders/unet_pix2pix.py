"""The modified U-Net of TensorFlow's segmentation tutorial: MobileNetV2 features and the upsampling of pix2pix.

https://www.tensorflow.org/tutorials/images/segmentation; Isola et al., CVPR 2017.
"""

from collections.abc import Callable

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import norm_relu, scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import NearestUpsampling

_CHANNELS = {16: 512, 8: 256, 4: 128, 2: 64}  # by stride

# Initializer of the weights of pix2pix's upsampling.
_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


def unet_pix2pix(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode the features at strides 32 to 2; dropout, which the tutorial lacks, acts on the deepest."""
    return _expanding(features, classes, width, dropout, _transposed)


def unet_pix2pix_nearest(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode as `unet_pix2pix` does, with nearest neighbor and a convolution in place of each transposed convolution.

    They have as many weights. It avoids the checkerboard patterns of transposed convolutions (Odena, Dumoulin and
    Olah, Distill 2016).
    """
    return _expanding(features, classes, width, dropout, _nearest)


def _expanding(
    features: Features, classes: int, width: int, dropout: float, doubled: Callable[..., keras.KerasTensor]
) -> Decoded:
    x = MonteCarloDropout(dropout)(features.deepest)
    for stride, channels in _CHANNELS.items():
        initializer = keras.initializers.deserialize(_INITIALIZER)
        x = norm_relu(doubled(x, scaled(channels, width), use_bias=False, kernel_initializer=initializer))
        x = layers.Concatenate()([x, features.at(stride)])
    return Decoded(doubled(x, classes, dtype="float32"), 1)


def _transposed(x: keras.KerasTensor, channels: int, **options: object) -> keras.KerasTensor:
    """Transposed 3x3 convolution of stride 2, as in the pix2pix generator."""
    return layers.Conv2DTranspose(channels, 3, strides=2, padding="same", **options)(x)


def _nearest(x: keras.KerasTensor, channels: int, **options: object) -> keras.KerasTensor:
    return layers.Conv2D(channels, 3, padding="same", **options)(NearestUpsampling()(x))
