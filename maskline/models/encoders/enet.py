"""ENet's encoder: small bottlenecks, some dilated or asymmetric, with PReLU.

Paszke, Chaurasia, Kim and Culurciello 2016, arXiv:1606.02147; channels are the paper's at width 64.
"""

import keras
from keras import layers

from maskline.models.encoders.applications import minus_one_to_one
from maskline.models.layers.blocks import scaled
from maskline.models.layers.bottleneck import bottleneck, norm_prelu

STRIDES = (2, 4, 8)

# The middle convolutions of the bottlenecks of the second stage, and again of the third.
_STAGE = ((3, 1), (3, 2), (5, 1), (3, 4), (3, 1), (3, 8), (5, 1), (3, 16))  # kernel (5: asymmetric) and rate


def encoder(width: int, dropout: float) -> keras.Model:
    """Return the encoder, with the features of the initial block, the first stage and the third stage.

    Args:
        width: channels of the first stage.
        dropout: share of channels dropped in each bottleneck, a tenth of it in the first stage; 0.1 in the paper.
    """
    images = keras.Input((None, None, 3))
    x = minus_one_to_one(images)
    convolved = layers.Conv2D(max(1, scaled(16, width) - 3), 3, strides=2, padding="same", use_bias=False)(x)
    x = initial = norm_prelu(layers.Concatenate()([convolved, layers.MaxPooling2D()(x)]))
    x = bottleneck(x, width, dropout / 10, downsample=True)
    for stream in range(4):
        x = bottleneck(x, width, dropout / 10, stream=stream + 1)
    first = x
    x = bottleneck(x, 2 * width, dropout, stream=5, downsample=True)
    for stream, (kernel, rate) in enumerate(_STAGE + _STAGE, 6):
        x = bottleneck(x, 2 * width, dropout, stream, kernel, rate)
    return keras.Model(images, [initial, first, x], name="enet")
