"""The semantic branch of Panoptic FPN: levels are upsampled in steps of 2 with group normalization, and summed.

Kirillov, Girshick, He and Dollar, CVPR 2019.
"""

import keras
from keras import layers

from maskline.models.decoders.fpn import pyramid
from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import head, scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import Upsampling

_GROUP = 4  # channels in a group; the paper has 32 groups of 128 channels


def panoptic_fpn(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Sum the levels of strides 4 to 32 at stride 4; at width 64, 256 channels, and 128 in the branches."""
    levels = pyramid(features, scaled(256, width))
    parts = [_branch(level, stride, scaled(128, width)) for stride, level in levels.items()]
    return Decoded(head(MonteCarloDropout(dropout)(layers.Add()(parts)), classes), 4, fine=levels[4])


def _branch(x: keras.KerasTensor, stride: int, channels: int) -> keras.KerasTensor:
    """3x3 convolution, group normalization, ReLU and 2x upsampling, once for each doubling of the stride above 4."""
    for _ in range(max(1, (stride // 4).bit_length() - 1)):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.GroupNormalization(max(1, channels // _GROUP))(x))
        if stride > 4:
            x = Upsampling(2)(x)
    return x
