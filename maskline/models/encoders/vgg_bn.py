"""VGG with batch normalization after each convolution, the encoder of SegNet.

Simonyan and Zisserman, ICLR 2015; Badrinarayanan, Kendall and Cipolla, TPAMI 2017.
"""

import keras
import numpy as np
from keras import layers

from maskline.errors import InputError
from maskline.models.encoders.applications import caffe
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.normalization import batch_norm

STRIDES = (1, 2, 4, 8, 16, 32)

_CONVOLUTIONS = {"vgg16_bn": (2, 2, 3, 3, 3), "vgg19_bn": (2, 2, 4, 4, 4)}
_CHANNELS = (1, 2, 4, 8, 8)  # channels of each block, as multiples of the width
_MIDDLE = 3  # number of deepest blocks that drop features, as in Bayesian SegNet


def encoder(name: str, width: int, dropout: float, plain: keras.Model | None = None) -> keras.Model:
    """Return VGG16 or VGG19 up to the last pooling, with the features before each pooling and after the last.

    Args:
        name: vgg16_bn or vgg19_bn.
        width: channels of the first block; 64 in the paper.
        dropout: share of features dropped after each of the three deepest blocks.
        plain: the same network of keras.applications, whose convolutions are the initial weights.

    Raises:
        InputError: `plain` is given and width is not 64.
    """
    images = keras.Input((None, None, 3))
    x = caffe(images)
    features = []
    for block, (convolutions, channels) in enumerate(zip(_CONVOLUTIONS[name], _CHANNELS, strict=True), 1):
        for index in range(1, convolutions + 1):
            x = layers.Conv2D(
                width * channels,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"block{block}_conv{index}",
            )(x)
            x = batch_norm(x, name=f"block{block}_norm{index}")
            x = layers.ReLU()(x)
        features.append(x)
        x = layers.MaxPooling2D()(x)
        if block > len(_CHANNELS) - _MIDDLE:
            x = MonteCarloDropout(dropout, stream=block)(x)
    network = keras.Model(images, [*features, x], name=name)
    if plain is not None:
        _copy_convolutions(network, plain, width)
    return network


def _copy_convolutions(network: keras.Model, plain: keras.Model, width: int) -> None:
    """Copy kernels, and biases as negated means of the normalization, so that the features stay the same."""
    if width != 64:
        raise InputError(
            f"model.width must be 64 to start {network.name} from the weights of {plain.name}, which fix its "
            f"channels. Received: {width}"
        )
    for layer in plain.layers:
        if isinstance(layer, layers.Conv2D):
            kernel, bias = layer.get_weights()
            network.get_layer(layer.name).set_weights([kernel])
            norm = network.get_layer(layer.name.replace("conv", "norm"))
            norm.moving_mean.assign(-np.asarray(bias))
