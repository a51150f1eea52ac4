"""FCN-32s, FCN-16s and FCN-8s: a fully convolutional classifier, whose scores at several strides are summed.

Long, Shelhamer and Darrell, CVPR 2015; Shelhamer, Long and Darrell, TPAMI 2017. All strides are trained together
and start with small scores, as in the "at-once" variant of the latter. Two things differ from the papers: fc6 and fc7
start from random weights instead of a classifier's, and the scores of the skips are not scaled before they are added.
"""

import keras
import numpy as np
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import scaled
from maskline.models.layers.dropout import MonteCarloDropout


def fcn32s(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Upsample the classifier's scores 32 times."""
    return Decoded(_upsampled(_classifier(features, classes, width, dropout), 32, learned=False), 1)


def fcn16s(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Add the scores at stride 16, and upsample 16 times."""
    x = _fused(_classifier(features, classes, width, dropout), _skip(features, 16), classes)
    return Decoded(_upsampled(x, 16, learned=False), 1)


def fcn8s(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Add the scores at strides 16 and 8, and upsample 8 times."""
    x = _classifier(features, classes, width, dropout)
    for stride in (16, 8):
        x = _fused(x, _skip(features, stride), classes)
    return Decoded(_upsampled(x, 8, learned=False), 1)


def _classifier(features: Features, classes: int, width: int, dropout: float) -> keras.KerasTensor:
    """Score the deepest features, with fc6 and fc7 for VGG; other classifiers have no hidden layers."""
    x = features.deepest
    if features.of_vgg:
        for kernel, stream in ((7, 6), (1, 7)):
            x = layers.Conv2D(
                scaled(4096, width), kernel, padding="same", activation="relu", kernel_initializer="he_normal"
            )(x)
            x = MonteCarloDropout(dropout, stream=stream)(x)
    else:
        x = MonteCarloDropout(dropout)(x)
    return _score(x, classes)


def _skip(features: Features, stride: int) -> keras.KerasTensor:
    """Return the features after a pooling of VGG, as in the paper, or those of another encoder."""
    return layers.MaxPooling2D()(features.at(stride // 2)) if features.of_vgg else features.at(stride)


def _fused(x: keras.KerasTensor, skip: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    return layers.Add()([_upsampled(x, 2, learned=True), _score(skip, classes)])


def _score(x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """1x1 convolution to scores, initialized near zero, where the paper has zeros."""
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Conv2D(classes, 1, kernel_initializer=initializer, dtype="float32")(x)


def _upsampled(x: keras.KerasTensor, factor: int, learned: bool) -> keras.KerasTensor:
    """Upsample with a transposed convolution initialized to bilinear interpolation, and fixed unless `learned`."""
    layer = layers.Conv2DTranspose(
        x.shape[-1],
        2 * factor,
        strides=factor,
        padding="same",
        use_bias=False,
        kernel_initializer=_bilinear,
        dtype="float32",
    )
    layer.trainable = learned
    return layer(x)


def _bilinear(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
    """Return a kernel [size, size, C, C] that interpolates each class separately."""
    size, _, classes, _ = shape
    ramp = 1 - np.abs((np.arange(size) - (size - 1) / 2) / (size / 2))
    return (np.outer(ramp, ramp)[..., None, None] * np.eye(classes)).astype(dtype)
