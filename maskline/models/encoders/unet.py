"""U-Net's encoder: its contracting path, five levels whose channels double.

Ronneberger, Fischer and Brox, MICCAI 2015, with padded convolutions and batch normalisation.
"""

import keras
from keras import layers

from maskline.models.encoders.applications import minus_one_to_one
from maskline.models.layers.blocks import double_conv

STRIDES = (1, 2, 4, 8, 16)


def encoder(width: int) -> keras.Model:
    """Return the encoder, whose features are those of each level before pooling.

    Args:
        width: channels of the first level; the paper's is 64.
    """
    images = keras.Input((None, None, 3))
    x = minus_one_to_one(images)
    features = []
    for level in range(len(STRIDES)):
        x = double_conv(layers.MaxPooling2D()(x) if level else x, width * 2**level)
        features.append(x)
    return keras.Model(images, features, name="unet")
