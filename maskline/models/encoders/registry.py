"""Encoders by name: from RGB 0..255 to features, with the normalization that their weights expect.

An encoder is a `keras.Model` from images [B, H, W, 3] to a list of features from shallow to deep. Their strides are
`strides(name, output_stride)`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import keras

from maskline.models.encoders import enet, mit, unet, vgg_bn
from maskline.models.encoders.applications import BACKBONES, features, network
from maskline.models.encoders.dilation import NO_MULTI_GRID
from maskline.models.encoders.weights import load_weights


class Options(NamedTuple):
    """The options of an encoder.

    Attributes:
        width: channels of the first level; networks of keras.applications and Mix Transformers ignore it.
        dropout: share of features dropped in training; used by encoders whose papers drop features.
        output_stride: of the deepest features, 8, 16 or 32; only networks of keras.applications use it.
        multi_grid: what multiplies the dilation rates of the three blocks of a ResNet's last stage.
        weights: a weights file.
    """

    width: int = 64
    dropout: float = 0.0
    output_stride: int = 32
    multi_grid: tuple[int, int, int] = NO_MULTI_GRID
    weights: Path | None = None


class _Own(NamedTuple):
    """An encoder that is not a network of keras.applications."""

    build: Callable[[Options], keras.Model]
    strides: tuple[int, ...]


def _unet(options: Options) -> keras.Model:
    encoder = unet.encoder(options.width)
    load_weights(encoder, options.weights)
    return encoder


def _enet(options: Options) -> keras.Model:
    encoder = enet.encoder(options.width, options.dropout)
    load_weights(encoder, options.weights)
    return encoder


def _vgg_bn(name: str, options: Options) -> keras.Model:
    plain = None
    if options.weights:
        plain = network(name.removesuffix("_bn"), 32)
        load_weights(plain, options.weights)
    return vgg_bn.encoder(name, options.width, options.dropout, plain)


def _mit(name: str, options: Options) -> keras.Model:
    encoder = mit.encoder(name)
    load_weights(encoder, options.weights)
    return encoder


def _application(name: str, options: Options) -> keras.Model:
    built = network(name, options.output_stride, options.multi_grid)
    load_weights(built, options.weights)
    return features(name, built)


_OWN = {
    "unet": _Own(_unet, unet.STRIDES),
    "enet": _Own(_enet, enet.STRIDES),
    "vgg16_bn": _Own(partial(_vgg_bn, "vgg16_bn"), vgg_bn.STRIDES),
    "vgg19_bn": _Own(partial(_vgg_bn, "vgg19_bn"), vgg_bn.STRIDES),
    **{name: _Own(partial(_mit, name), mit.STRIDES) for name in mit.NAMES},
}


def build_encoder(name: str, options: Options) -> keras.Model:
    """Return an encoder, one of `catalogue.ENCODERS`.

    Raises:
        InputError: the weights belong to another network.
    """
    return _OWN[name].build(options) if name in _OWN else _application(name, options)


def strides(name: str, output_stride: int = 32) -> tuple[int, ...]:
    """Return the strides of an encoder's features, from shallow to deep."""
    undilated = _OWN[name].strides if name in _OWN else BACKBONES[name].strides
    return tuple(min(stride, output_stride) for stride in undilated)
