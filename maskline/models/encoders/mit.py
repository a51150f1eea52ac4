"""The Mix Transformer (MiT), the encoder of SegFormer: features of strides 4, 8, 16, 32 without position encodings.

Xie, Wang, Yu, Anandkumar, Alvarez and Luo, NeurIPS 2021. Like the authors' code, linear layers start from a normal
distribution of 0.02, activations are exact GELU, and nothing is dropped but whole residual branches. A linear layer is
a convolution of 1x1 here. Layers have the names that they have in Hugging Face's transformers, so that its files of
weights can be read.
"""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers

from maskline.models.encoders.applications import standardized
from maskline.models.layers.dropout import Dropout

STRIDES = (4, 8, 16, 32)

_HEADS = (1, 2, 5, 8)
_REDUCTIONS = (8, 4, 2, 1)  # of the rows and columns that keys and values are of
_EXPANSION = 4
_DROPPED_PATHS = 0.1  # probability for the last block; it grows linearly from 0 for the first
_BLOCK_EPSILON, _EPSILON = 1e-6, 1e-5  # of the normalizations in and after blocks, and of the others


class _Size(NamedTuple):
    """Channels and number of blocks of the four stages."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]


_WIDE = (64, 128, 320, 512)
_SIZES = {
    "mit_b0": _Size((32, 64, 160, 256), (2, 2, 2, 2)),
    "mit_b1": _Size(_WIDE, (2, 2, 2, 2)),
    "mit_b2": _Size(_WIDE, (3, 4, 6, 3)),
    "mit_b3": _Size(_WIDE, (3, 4, 18, 3)),
    "mit_b4": _Size(_WIDE, (3, 8, 27, 3)),
    "mit_b5": _Size(_WIDE, (3, 6, 40, 3)),
}
NAMES = tuple(_SIZES)


@keras.saving.register_keras_serializable("maskline")
class Attention(layers.Layer):
    """Scaled dot-product attention of several heads (Vaswani et al., NeurIPS 2017), without weights of its own.

    Called on queries [B, H, W, C], keys and values [B, h, w, C], it returns [B, H, W, C].

    Args:
        heads: number of heads, among which the channels are divided.
    """

    def __init__(self, heads: int, **options: object) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Return the mean of the values for each query, weighted by the softmax of its products with the keys."""
        queries, keys, values = map(self._by_head, inputs)
        products = tf.matmul(queries * queries.shape[-1] ** -0.5, keys, transpose_b=True)
        weights = tf.cast(tf.nn.softmax(tf.cast(products, tf.float32)), values.dtype)
        means = tf.transpose(tf.matmul(weights, values), (0, 2, 1, 3))
        return tf.reshape(means, tf.shape(inputs[0]))

    def _by_head(self, x: tf.Tensor) -> tf.Tensor:
        """Return x [B, H, W, C] as [B, heads, H * W, C / heads]."""
        shape = tf.shape(x)
        divided = tf.reshape(x, (shape[0], shape[1] * shape[2], self.heads, x.shape[3] // self.heads))
        return tf.transpose(divided, (0, 2, 1, 3))

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Return the queries' shape."""
        return shapes[0]

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "heads": self.heads}


def encoder(name: str) -> keras.Model:
    """Return a Mix Transformer, with the features after each stage.

    Args:
        name: one of `NAMES`.
    """
    size = _SIZES[name]
    images = keras.Input((None, None, 3))
    x, features, block = standardized(images), [], 0
    for stage, (channels, blocks) in enumerate(zip(size.channels, size.blocks, strict=True)):
        x = _patches(x, channels, 3 if stage else 7, 2 if stage else 4, f"patch_embeddings.{stage}")
        for index in range(blocks):
            dropped = _DROPPED_PATHS * block / (sum(size.blocks) - 1)
            x = _block(x, _HEADS[stage], _REDUCTIONS[stage], dropped, f"block.{stage}.{index}")
            block += 1
        x = _norm(x, f"layer_norm.{stage}")
        features.append(x)
    return keras.Model(images, features, name=name)


def _patches(x: keras.KerasTensor, channels: int, kernel: int, strides: int, name: str) -> keras.KerasTensor:
    """Embed overlapping patches of `kernel` x `kernel` pixels."""
    x = layers.ZeroPadding2D(kernel // 2)(x)
    x = _convolution(x, channels, kernel, f"{name}.proj", strides=strides)
    return _norm(x, f"{name}.layer_norm", _EPSILON)


def _block(x: keras.KerasTensor, heads: int, reduction: int, dropped: float, name: str) -> keras.KerasTensor:
    """Add attention, then Mix-FFN, each of the normalized features."""
    attended = _attention(_norm(x, f"{name}.layer_norm_1"), heads, reduction, f"{name}.attention")
    x = layers.Add()([x, _stochastic_depth(attended, dropped)])
    mixed = _mix_ffn(_norm(x, f"{name}.layer_norm_2"), f"{name}.mlp")
    return layers.Add()([x, _stochastic_depth(mixed, dropped)])


def _attention(x: keras.KerasTensor, heads: int, reduction: int, name: str) -> keras.KerasTensor:
    """Efficient self-attention: keys and values are of `reduction` times fewer rows and columns."""
    channels, reduced = x.shape[-1], x
    if reduction > 1:
        reduced = _convolution(x, channels, reduction, f"{name}.self.sr", strides=reduction)
        reduced = _norm(reduced, f"{name}.self.layer_norm", _EPSILON)
    queries = _linear(x, channels, f"{name}.self.query")
    keys, values = (_linear(reduced, channels, f"{name}.self.{part}") for part in ("key", "value"))
    return _linear(Attention(heads)([queries, keys, values]), channels, f"{name}.output.dense")


def _mix_ffn(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Two linear layers with a depthwise 3x3 convolution in between, whose padding tells positions apart."""
    channels = x.shape[-1]
    x = _linear(x, _EXPANSION * channels, f"{name}.dense1")
    x = layers.DepthwiseConv2D(3, padding="same", depthwise_initializer=_fan_out(), name=f"{name}.dwconv.dwconv")(x)
    x = layers.Activation(keras.activations.gelu)(x)
    return _linear(x, channels, f"{name}.dense2")


def _stochastic_depth(x: keras.KerasTensor, dropped: float) -> keras.KerasTensor:
    """Drop all of x for some images of a batch (Huang et al., ECCV 2016)."""
    return Dropout(dropped, noise_shape=(None, 1, 1, 1))(x) if dropped else x


def _linear(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    initializer = keras.initializers.TruncatedNormal(stddev=0.02)
    return layers.Conv2D(channels, 1, kernel_initializer=initializer, name=name)(x)


def _convolution(x: keras.KerasTensor, channels: int, kernel: int, name: str, strides: int) -> keras.KerasTensor:
    return layers.Conv2D(channels, kernel, strides=strides, kernel_initializer=_fan_out(), name=name)(x)


def _fan_out() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")


def _norm(x: keras.KerasTensor, name: str, epsilon: float = _BLOCK_EPSILON) -> keras.KerasTensor:
    return layers.LayerNormalization(epsilon=epsilon, name=name)(x)
