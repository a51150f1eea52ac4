"""ENet's decoder: bottlenecks with ReLU and max-unpooling by the encoder's indices.

Paszke, Chaurasia, Kim and Culurciello 2016, arXiv:1606.02147; channels are the paper's at width 64.
"""

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.bottleneck import bottleneck
from maskline.models.layers.normalization import batch_norm
from maskline.models.layers.unpooling import MaxUnpooling


def enet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Unpool with the indices of the encoder's two poolings, then upsample to the image's size; nothing is dropped."""
    initial, first = features.at(2), features.at(4)
    x = _up_bottleneck(features.deepest, first)
    for _ in range(2):
        x = bottleneck(x, width, activation=layers.ReLU)
    x = _up_bottleneck(x, initial)
    x = bottleneck(x, initial.shape[-1], activation=layers.ReLU)
    return Decoded(layers.Conv2DTranspose(classes, 2, strides=2, dtype="float32")(x), 1)


def _up_bottleneck(x: keras.KerasTensor, pooled: keras.KerasTensor) -> keras.KerasTensor:
    """Double the size: add max-unpooling to the positions of the maxima of `pooled` and a transposed convolution."""
    channels = pooled.shape[-1]
    narrow = max(1, channels // 4)
    inner = layers.ReLU()(batch_norm(layers.Conv2D(narrow, 1, use_bias=False)(x)))
    inner = layers.Conv2DTranspose(narrow, 3, strides=2, padding="same", use_bias=False)(inner)
    inner = batch_norm(layers.Conv2D(channels, 1, use_bias=False)(layers.ReLU()(batch_norm(inner))))
    outer = MaxUnpooling()([batch_norm(layers.Conv2D(channels, 1, use_bias=False)(x)), pooled])
    return layers.ReLU()(layers.Add()([outer, inner]))
