"""The modified U-Net of TensorFlow's segmentation tutorial: MobileNetV2 features and the upsampling of pix2pix.

https://www.tensorflow.org/tutorials/images/segmentation; Isola et al., CVPR 2017.
"""

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import norm_relu, scaled
from maskline.models.layers.dropout import MonteCarloDropout

_CHANNELS = {16: 512, 8: 256, 4: 128, 2: 64}  # by stride

# Initializer of the weights of pix2pix's upsampling.
_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


def unet_pix2pix(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode the features at strides 32 to 2; dropout, which the tutorial lacks, acts on the deepest."""
    x = MonteCarloDropout(dropout)(features.deepest)
    for stride, channels in _CHANNELS.items():
        x = layers.Concatenate()([_upsample(x, scaled(channels, width)), features.at(stride)])
    return Decoded(layers.Conv2DTranspose(classes, 3, strides=2, padding="same", dtype="float32")(x), 1)


def _upsample(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Transposed 3x3 convolution of stride 2, batch normalization, ReLU, as in the pix2pix generator."""
    initializer = keras.initializers.deserialize(_INITIALIZER)
    x = layers.Conv2DTranspose(channels, 3, strides=2, padding="same", use_bias=False, kernel_initializer=initializer)(
        x
    )
    return norm_relu(x)
