"""Encoders: RGB 0..255 to features at several strides, each with the normalisation its weights expect.

An encoder is a `keras.Model` from images [B, H, W, 3] to a list of features from shallow to deep; their strides are
`strides(name, output_stride)`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from maskline.errors import InputError
from maskline.models.encoders import enet, vgg_bn
from maskline.models.encoders.applications import BACKBONES, features, minus_one_to_one, network
from maskline.models.layers.blocks import double_conv


class Options(NamedTuple):
    """What an encoder may be told.

    Attributes:
        width: channels of the first level, of those that are no network of keras.applications.
        dropout: share of features dropped in training, in those whose papers drop any.
        output_stride: of the deepest features; only networks of keras.applications can have less than 32.
        multi_grid: rates 1, 2, 4 in the last stage of a ResNet.
        weights: a weights file.
    """

    width: int = 64
    dropout: float = 0.0
    output_stride: int = 32
    multi_grid: bool = False
    weights: Path | None = None


def _unet(options: Options) -> keras.Model:
    """The contracting path of U-Net: five levels whose channels double from `width`.

    Ronneberger et al., MICCAI 2015, with padded convolutions and batch normalisation.
    """
    images = keras.Input((None, None, 3))
    x = minus_one_to_one(images)
    levels = []
    for level in range(len(_OWN["unet"].strides)):
        x = double_conv(layers.MaxPooling2D()(x) if level else x, options.width * 2**level)
        levels.append(x)
    encoder = keras.Model(images, levels, name="unet")
    _load(encoder, options.weights)
    return encoder


def _enet(options: Options) -> keras.Model:
    images = keras.Input((None, None, 3))
    levels = enet.encoder(minus_one_to_one(images), options.width, options.dropout)
    encoder = keras.Model(images, levels, name="enet")
    _load(encoder, options.weights)
    return encoder


def _vgg_bn(name: str, options: Options) -> keras.Model:
    plain = None
    if options.weights:
        plain = network(name.removesuffix("_bn"), 32, False)
        _load(plain, options.weights)
    return vgg_bn.encoder(name, options.width, options.dropout, plain)


def _application(name: str, options: Options) -> keras.Model:
    built = network(name, options.output_stride, options.multi_grid)
    _load(built, options.weights)
    return features(name, built)


class _Own(NamedTuple):
    build: Callable[[Options], keras.Model]
    strides: tuple[int, ...]


_OWN = {
    "unet": _Own(_unet, (1, 2, 4, 8, 16)),
    "enet": _Own(_enet, (2, 4, 8)),
    "vgg16_bn": _Own(lambda options: _vgg_bn("vgg16_bn", options), BACKBONES["vgg16"].strides),
    "vgg19_bn": _Own(lambda options: _vgg_bn("vgg19_bn", options), BACKBONES["vgg19"].strides),
}
ENCODERS = (*_OWN, *BACKBONES)


def build_encoder(name: str, options: Options) -> keras.Model:
    """Return an encoder, one of `ENCODERS`.

    Raises:
        InputError: the weights are of another network.
    """
    return _OWN[name].build(options) if name in _OWN else _application(name, options)


def strides(name: str, output_stride: int = 32) -> tuple[int, ...]:
    """Return the strides of an encoder's features, from shallow to deep."""
    whole = _OWN[name].strides if name in _OWN else BACKBONES[name].strides
    return tuple(min(stride, output_stride) for stride in whole)


def _load(network: keras.Model, weights: Path | None) -> None:
    """Load a weights file that must set every variable; Keras itself passes over some that a file lacks."""
    if weights is None:
        return
    floats = [variable for variable in network.variables if "float" in str(variable.dtype)]
    for variable in floats:
        variable.assign(np.full(variable.shape, np.nan))
    try:
        network.load_weights(weights)
        missing = [variable.path for variable in floats if np.isnan(variable).any()]
        reason = f"it sets no finite {missing[0]}" if missing else ""
    except (ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        raise InputError(
            f"{weights} does not hold the weights of {network.name} ({reason}); "
            "name a file of that network in model.encoder_weights, or set it to none."
        )
