"""Atrous spatial pyramid pooling with image pooling, as in DeepLabv3 and DeepLabv3+."""

from collections.abc import Callable

import keras
from keras import layers

from maskline.models.layers.blocks import conv
from maskline.models.layers.resizing import AdaptiveAveragePooling, ResizeLike

_RATES = (6, 12, 18)  # at output stride 16; inversely proportional to it


def aspp(
    x: keras.KerasTensor, stride: int, channels: int, atrous: Callable[..., keras.KerasTensor]
) -> keras.KerasTensor:
    """Concatenate 1x1, three atrous 3x3 and image-pooled features of `channels` each, and project them to `channels`.

    Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation".

    Args:
        x: the encoder's deepest features.
        stride: of x; the rates depend on it.
        channels: of each branch and of the output.
        atrous: the 3x3 block as a function of (x, channels, rate=).
    """
    branches = [conv(x, channels, kernel=1)]
    branches += [atrous(x, channels, rate=rate * 16 // stride) for rate in _RATES]
    pooled = conv(AdaptiveAveragePooling(1)(x), channels, kernel=1)
    branches.append(ResizeLike()([pooled, x]))
    return conv(layers.Concatenate()(branches), channels, kernel=1)
