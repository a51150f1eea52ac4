"""SegFormer's all-MLP decoder: every level in the same channels, upsampled to stride 4, concatenated and classified.

Xie, Wang, Yu, Anandkumar, Alvarez and Luo, NeurIPS 2021. The dropout of whole channels before the classifier is the
authors' code's. A linear layer is a convolution of 1x1 here.
"""

from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import head, scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.normalization import batch_norm
from maskline.models.layers.resizing import Upsampling

_STRIDES = (32, 16, 8, 4)
_WIDE = ("mit_b2", "mit_b3", "mit_b4", "mit_b5")


def segformer(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Fuse strides 4 to 32, at width 64 in 768 channels on MiT-B2 to B5 and in 256 on other encoders."""
    channels = scaled(768 if features.encoder in _WIDE else 256, width)
    levels = [layers.Conv2D(channels, 1)(features.at(stride)) for stride in _STRIDES]
    upsampled = [Upsampling(stride // 4)(x) for stride, x in zip(_STRIDES, levels, strict=True)]
    x = layers.Conv2D(channels, 1, use_bias=False, kernel_initializer="he_normal")(layers.Concatenate()(upsampled))
    x = layers.ReLU()(batch_norm(x, epsilon=1e-5))
    return Decoded(head(MonteCarloDropout(dropout, spatial=True)(x), classes), 4)
