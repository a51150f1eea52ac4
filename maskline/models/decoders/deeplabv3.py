"""DeepLabv3: atrous convolution in the encoder, multi-grid in its last stage, and ASPP with image pooling.

Chen, Papandreou, Schroff and Adam 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation". The
multi-grid rates 1, 2, 4 are for ResNets, as in the paper; other encoders have no multi-grid.
"""

from maskline.models.interface import Decoded, Features
from maskline.models.layers.aspp import aspp
from maskline.models.layers.blocks import conv, head, scaled
from maskline.models.layers.dropout import MonteCarloDropout


def deeplabv3(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Classify the deepest features with ASPP, which has 256 channels at width 64."""
    x = aspp(features.deepest, features.output_stride, scaled(256, width), conv)
    return Decoded(head(MonteCarloDropout(dropout)(x), classes), features.output_stride)
