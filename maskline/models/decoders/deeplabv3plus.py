"""DeepLabv3+: DeepLabv3's ASPP with separable convolutions, and a decoder with low-level features.

Chen, Zhu, Papandreou, Schroff and Adam, ECCV 2018. The paper's Xception is deeper than that of keras.applications.
Like the paper, it has no multi-grid.
"""

from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.aspp import aspp
from maskline.models.layers.blocks import conv, head, scaled, separable_conv
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import Upsampling


def deeplabv3plus(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Concatenate ASPP with 48 channels of stride 4, and refine with two 3x3 convolutions of 256, at width 64."""
    low = conv(features.at(4), scaled(48, width), kernel=1)
    x = aspp(features.deepest, features.output_stride, scaled(256, width), separable_conv)
    x = layers.Concatenate()([Upsampling(features.output_stride // 4)(x), low])
    for _ in range(2):
        x = separable_conv(x, scaled(256, width))
    return Decoded(head(MonteCarloDropout(dropout)(x), classes), 4)
