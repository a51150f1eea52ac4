"""Feature pyramid network with a segmentation head that sums the levels.

Lin, Dollar, Girshick, He, Hariharan and Belongie, CVPR 2017; the head after Kirillov et al., "A Unified Architecture
for Instance and Semantic Segmentation", COCO workshop 2017.
"""

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, head, scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import Upsampling


def fpn(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Sum the levels of strides 4 to 32 after a 3x3 convolution each; at width 64, 256 channels, 128 in the head."""
    levels = pyramid(features, scaled(256, width))
    return summed_head(levels, classes, scaled(128, width), dropout)._replace(fine=levels[4])


def pyramid(features: Features, channels: int) -> dict[int, keras.KerasTensor]:
    """Return the levels of the top-down pyramid by stride, 4 to 32, with `channels` each."""
    x, levels = None, {}
    for stride in (32, 16, 8, 4):
        lateral = layers.Conv2D(channels, 1)(features.at(stride))
        x = lateral if x is None else layers.Add()([lateral, layers.UpSampling2D(2, interpolation="nearest")(x)])
        levels[stride] = layers.Conv2D(channels, 3, padding="same")(x)
    return levels


def summed_head(levels: dict[int, keras.KerasTensor], classes: int, channels: int, dropout: float) -> Decoded:
    """Return the logits of the sum of all levels at stride 4, each after a 3x3 convolution."""
    parts = [Upsampling(stride // 4)(conv(level, channels)) for stride, level in levels.items()]
    return Decoded(head(MonteCarloDropout(dropout)(layers.Add()(parts)), classes), 4)
