"""The naive baseline: convolutions down, then transposed convolutions of stride 2 up, with no skips.

After the encoder-decoder of Noh, Hong and Han, ICCV 2015, without its unpooling. What U-Net's skips are worth is the
difference from this network on the same encoder.
"""

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, head, norm_relu, up_conv
from maskline.models.layers.dropout import MonteCarloDropout


def convtranspose(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode the deepest features alone; `width` channels at stride 1, doubled at each level below."""
    x = MonteCarloDropout(dropout)(features.deepest)
    for level in reversed(range(features.output_stride.bit_length() - 1)):
        x = norm_relu(up_conv(x, width * 2**level, kernel=3))
        x = conv(x, width * 2**level)
    return Decoded(head(x, classes), 1)
