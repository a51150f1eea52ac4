"""Dilated (atrous) convolutions: a classification network with a smaller output stride and the same weights."""

import re

import keras
from keras import layers

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
NO_MULTI_GRID = (1, 1, 1)

_LAST_BLOCKS = ("conv5_block1_2_conv", "conv5_block2_2_conv", "conv5_block3_2_conv")  # of a ResNet


def dilated(network: keras.Model, output_stride: int, multi_grid: tuple[int, int, int] = NO_MULTI_GRID) -> keras.Model:
    """Return the network with strides beyond `output_stride` replaced by dilation of the following layers.

    Holschneider et al. 1989; Chen et al., TPAMI 2018 (DeepLab). Away from the border, the original network's
    features are among the new ones, at every second position for a stride that is halved. Max-pooling of 2x2 is the
    exception: as in DeepLab, it becomes one of 3x3, because 2x2 at stride 1 moves features by half a position.

    Args:
        network: one of keras.applications, with strides of 1 or 2; its weights are not copied.
        output_stride: 8, 16 or 32.
        multi_grid: what multiplies the rates of a ResNet's last three blocks (Chen et al. 2017, DeepLabv3).
    """
    grid = dict(zip(_LAST_BLOCKS, multi_grid, strict=True))
    strides: dict[int, tuple[keras.KerasTensor, int]] = {}  # in the given network; keeping a tensor keeps its id unique

    def call(layer: layers.Layer, *args: keras.KerasTensor, **options: object) -> keras.KerasTensor:
        inputs = keras.tree.flatten(args)
        before = max(strides.get(id(x), (x, 1))[1] for x in inputs)
        after = before * _stride(layer)
        if isinstance(layer, layers.ZeroPadding2D) and before >= output_stride:
            return inputs[0]  # this padding is for a stride that is removed
        rate = max(1, before // output_stride) * grid.get(layer.name, 1)
        out = _changed(layer, rate, after > output_stride)(*args, **options)
        strides[id(out)] = (out, after)
        return out

    return keras.models.clone_model(network, call_function=call)


def _stride(layer: layers.Layer) -> int:
    return layer.strides[0] if isinstance(layer, (*_CONVOLUTIONS, *_POOLS)) else 1


def _changed(layer: layers.Layer, rate: int, dense: bool) -> layers.Layer:
    """Return the layer with kernels dilated by `rate`, and with stride 1 if `dense`."""
    changes = {}
    if isinstance(layer, _CONVOLUTIONS) and (dense or (rate > 1 and max(layer.kernel_size) > 1)):
        changes = {"strides": (1, 1), "padding": "same"}
        if max(layer.kernel_size) > 1:
            changes["dilation_rate"] = (rate, rate)
    elif isinstance(layer, _POOLS) and (dense or rate > 1):
        size = (layer.pool_size[0] - 1) * rate + 1
        if isinstance(layer, layers.MaxPooling2D):
            size |= 1  # an odd window has a center
        changes = {"pool_size": (size, size), "strides": (1, 1), "padding": "same"}
    return layer.from_config(layer.get_config() | changes) if changes else layer


def same_padding(network: keras.Model, pattern: str) -> keras.Model:
    """Return the network with "same" padding in the convolutions whose names match a pattern.

    Feature sizes are then the image's size divided by the stride.
    """

    def call(layer: layers.Layer, *args: keras.KerasTensor, **options: object) -> keras.KerasTensor:
        if re.fullmatch(pattern, layer.name):
            layer = layer.from_config(layer.get_config() | {"padding": "same"})
        return layer(*args, **options)

    return keras.models.clone_model(network, call_function=call)
