"""DeepLabv3's cascade: three more copies of ResNet's last block, with rates that double from one to the next.

Chen, Papandreou, Schroff and Adam 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation", section 3.2:
blocks 5 to 7, with the multi-grid rates 1, 2, 1 that are the paper's best for them. On encoders other than ResNets, the
multi-grid is in these blocks alone. The copies start from random weights.
"""

import keras
from keras import layers

from maskline.models.catalogue import NETWORKS
from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, head, scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.normalization import batch_norm

_BLOCKS = 3


def deeplabv3_cascade(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Classify the deepest features after the three blocks, which have 2048 channels at width 64."""
    x, rate = features.deepest, 32 // features.output_stride
    for _ in range(_BLOCKS):
        rate *= 2
        for factor in NETWORKS["deeplabv3_cascade"].multi_grid:
            x = _unit(x, scaled(2048, width), rate * factor)
    return Decoded(head(MonteCarloDropout(dropout)(x), classes), features.output_stride)


def _unit(x: keras.KerasTensor, channels: int, rate: int) -> keras.KerasTensor:
    """ResNet's bottleneck: 1x1 to a quarter of the channels, 3x3, 1x1, added to x (He et al., CVPR 2016)."""
    narrow = max(1, channels // 4)
    inner = _linear(conv(conv(x, narrow, kernel=1), narrow, rate=rate), channels)
    outer = x if x.shape[-1] == channels else _linear(x, channels)
    return layers.ReLU()(layers.Add()([outer, inner]))


def _linear(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """1x1 convolution and batch normalization, without ReLU."""
    return batch_norm(layers.Conv2D(channels, 1, use_bias=False, kernel_initializer="he_normal")(x))
