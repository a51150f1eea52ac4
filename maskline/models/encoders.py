"""Encoders: RGB 0..255 to features at several strides, each with the normalisation its weights expect.

An encoder is a `keras.Model` from images [B, H, W, 3] to a list of features from shallow to deep; its strides are
`STRIDES[name]`.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from maskline.errors import InputError
from maskline.models.blocks import NORM_MOMENTUM, double_conv

# Where MobileNetV2 is read at strides 2, 4, 8, 16 and 32, as in TensorFlow's segmentation tutorial.
_MOBILENET_V2_FEATURES = (
    "block_1_expand_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "block_16_project",
)


def unet(width: int, weights: Path | None = None) -> keras.Model:
    """The contracting path of U-Net: five levels whose channels double from `width`.

    Ronneberger et al., MICCAI 2015, with padded convolutions and batch normalisation.

    Raises:
        InputError: `weights` are of another network.
    """
    images = keras.Input((None, None, 3))
    x = _minus_one_to_one(images)
    features = []
    for level in range(len(STRIDES["unet"])):
        x = double_conv(layers.MaxPooling2D()(x) if level else x, width * 2**level)
        features.append(x)
    encoder = keras.Model(images, features, name="unet")
    _load(encoder, weights)
    return encoder


def mobilenet_v2(width: int, weights: Path | None = None) -> keras.Model:
    """MobileNetV2 (Sandler et al., CVPR 2018) of width multiplier 1; `width` has no say.

    Raises:
        InputError: `weights` are of another network.
    """
    backbone = keras.applications.MobileNetV2(input_shape=(None, None, 3), include_top=False, weights=None)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = NORM_MOMENTUM
    _load(backbone, weights)
    features = [backbone.get_layer(name).output for name in _MOBILENET_V2_FEATURES]
    taps = keras.Model(backbone.input, features)
    images = keras.Input((None, None, 3))
    return keras.Model(images, taps(_minus_one_to_one(images)), name="mobilenet_v2")


ENCODERS: dict[str, Callable[..., keras.Model]] = {"unet": unet, "mobilenet_v2": mobilenet_v2}
STRIDES = {"unet": (1, 2, 4, 8, 16), "mobilenet_v2": (2, 4, 8, 16, 32)}


def _minus_one_to_one(images: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(images)


def _load(network: keras.Model, weights: Path | None) -> None:
    """Load a weights file that must set every variable; Keras itself passes over some that a file lacks."""
    if weights is None:
        return
    for variable in network.variables:
        variable.assign(np.full(variable.shape, np.nan))
    try:
        network.load_weights(weights)
        missing = [variable.path for variable in network.variables if np.isnan(variable).any()]
        reason = f"it sets no finite {missing[0]}" if missing else ""
    except (ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        raise InputError(
            f"{weights} does not hold the weights of {network.name} ({reason}); "
            "name a file of that network in model.encoder_weights, or set it to none."
        )
