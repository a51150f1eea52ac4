"""A baseline without skip connections: an encoder, then transposed convolutions of stride 2.

After the encoder-decoder of Noh, Hong and Han, ICCV 2015, without its unpooling. Compared with U-Net on the same
encoder, it shows what the skip connections contribute.
"""

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, head, norm_relu, up_conv
from maskline.models.layers.dropout import MonteCarloDropout


def convtranspose(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode only the deepest features, with `width` channels at stride 1, twice as many at each deeper level."""
    x = MonteCarloDropout(dropout)(features.deepest)
    for level in reversed(range(features.output_stride.bit_length() - 1)):
        x = norm_relu(up_conv(x, width * 2**level, kernel=3))
        x = conv(x, width * 2**level)
    return Decoded(head(x, classes), 1)
