"""ENet: a small network of bottlenecks, some dilated or asymmetric, with PReLU and max-unpooling.

Paszke, Chaurasia, Kim and Culurciello 2016, arXiv:1606.02147; channels are the paper's at width 64.
"""

from collections.abc import Sequence

import keras
from keras import layers

from maskline.models.interface import Decoded
from maskline.models.layers.blocks import scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.normalisation import batch_norm
from maskline.models.layers.unpooling import MaxUnpooling

# The second and the third stage: what stands in the middle of each bottleneck.
_STAGE = ((3, 1), (3, 2), (5, 1), (3, 4), (3, 1), (3, 8), (5, 1), (3, 16))  # kernel (5: asymmetric) and rate


def encoder(x: keras.KerasTensor, width: int, dropout: float) -> list[keras.KerasTensor]:
    """Return the features at strides 2, 4 and 8: of the initial block, the first stage and the third.

    Args:
        x: images in -1..1, [B, H, W, 3].
        width: channels of the first stage.
        dropout: share of channels dropped in each bottleneck, a tenth of it in the first stage; the paper's is 0.1.
    """
    convolved = layers.Conv2D(max(1, scaled(16, width) - 3), 3, strides=2, padding="same", use_bias=False)(x)
    x = initial = _norm_prelu(layers.Concatenate()([convolved, layers.MaxPooling2D()(x)]))
    x = _bottleneck(x, width, dropout / 10, downsample=True)
    for stream in range(4):
        x = _bottleneck(x, width, dropout / 10, stream=stream + 1)
    first = x
    x = _bottleneck(x, 2 * width, dropout, stream=5, downsample=True)
    for stream, (kernel, rate) in enumerate(_STAGE + _STAGE, 6):
        x = _bottleneck(x, 2 * width, dropout, stream, kernel, rate)
    return [initial, first, x]


def enet(
    features: Sequence[keras.KerasTensor], strides: Sequence[int], classes: int, width: int, dropout: float
) -> Decoded:
    """Unpool by the indices of the encoder's two poolings, then upsample once more to the image's size."""
    initial, first, x = features
    x = _up_bottleneck(x, first)
    for stream in (30, 31):
        x = _bottleneck(x, width, dropout, stream, activation=layers.ReLU)
    x = _up_bottleneck(x, initial)
    x = _bottleneck(x, initial.shape[-1], dropout, 32, activation=layers.ReLU)
    return Decoded(layers.Conv2DTranspose(classes, 3, strides=2, padding="same", dtype="float32")(x), 1)


def _prelu() -> layers.Layer:
    return layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2])


def _norm_prelu(x: keras.KerasTensor) -> keras.KerasTensor:
    return _prelu()(batch_norm(x))


def _bottleneck(
    x: keras.KerasTensor,
    channels: int,
    dropout: float,
    stream: int = 0,
    kernel: int = 3,
    rate: int = 1,
    downsample: bool = False,
    activation: type[layers.Layer] | None = None,
) -> keras.KerasTensor:
    """Projection, convolution and expansion beside the identity, or beside max-pooling where it halves the size."""
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


def _up_bottleneck(x: keras.KerasTensor, pooled: keras.KerasTensor) -> keras.KerasTensor:
    """Twice the size: max-unpooling to where `pooled` had its maxima, beside a transposed convolution."""
    channels = pooled.shape[-1]
    narrow = max(1, channels // 4)
    inner = layers.ReLU()(batch_norm(layers.Conv2D(narrow, 1, use_bias=False)(x)))
    inner = layers.Conv2DTranspose(narrow, 3, strides=2, padding="same", use_bias=False)(inner)
    inner = batch_norm(layers.Conv2D(channels, 1, use_bias=False)(layers.ReLU()(batch_norm(inner))))
    outer = MaxUnpooling()([batch_norm(layers.Conv2D(channels, 1, use_bias=False)(x)), pooled])
    return layers.ReLU()(layers.Add()([outer, inner]))
