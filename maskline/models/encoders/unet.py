"""U-Net's encoder: the contracting path, five levels with doubling channels.

Ronneberger, Fischer and Brox, MICCAI 2015, with padded convolutions and batch normalization.
"""

import keras
from keras import layers

from maskline.models.encoders.applications import minus_one_to_one
from maskline.models.layers.blocks import double_conv

STRIDES = (1, 2, 4, 8, 16)


def encoder(width: int) -> keras.Model:
    """Return the encoder, with the features of each level before pooling.

    Args:
        width: channels of the first level; 64 in the paper.
    """
    images = keras.Input((None, None, 3))
    x = minus_one_to_one(images)
    features = []
    for level in range(len(STRIDES)):
        x = double_conv(layers.MaxPooling2D()(x) if level else x, width * 2**level)
        features.append(x)
    return keras.Model(images, features, name="unet")
