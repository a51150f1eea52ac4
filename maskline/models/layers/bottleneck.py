"""ENet's bottleneck: projection, convolution and expansion, added to the identity or to max-pooling.

Paszke, Chaurasia, Kim and Culurciello 2016, arXiv:1606.02147.
"""

import keras
from keras import layers

from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.normalization import batch_norm


def _prelu() -> layers.Layer:
    return layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2])


def norm_prelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """Batch normalization, then PReLU."""
    return _prelu()(batch_norm(x))


def bottleneck(
    x: keras.KerasTensor,
    channels: int,
    dropout: float = 0.0,
    stream: int = 0,
    kernel: int = 3,
    rate: int = 1,
    downsample: bool = False,
    activation: type[layers.Layer] | None = None,
) -> keras.KerasTensor:
    """Return projection, convolution and expansion, added to x, or to the max-pooled x if `downsample`."""
    active = activation or _prelu
    strides, narrow = 1 + downsample, max(1, channels // 4)
    inner = layers.Conv2D(narrow, strides, strides=strides, use_bias=False)(x)
    inner = active()(batch_norm(inner))
    kernels = ((kernel, 1), (1, kernel)) if kernel == 5 else ((kernel, kernel),)
    for size in kernels:
        inner = layers.Conv2D(narrow, size, padding="same", dilation_rate=rate, use_bias=False)(inner)
    inner = active()(batch_norm(inner))
    inner = batch_norm(layers.Conv2D(channels, 1, use_bias=False)(inner))
    inner = MonteCarloDropout(dropout, stream, spatial=True)(inner)
    if downsample:
        x = layers.MaxPooling2D()(x)
        x = keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, channels - x.shape[-1]]])
    return active()(layers.Add()([x, inner]))
