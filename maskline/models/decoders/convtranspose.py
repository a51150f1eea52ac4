"""The naive baseline: convolutions down, then transposed convolutions of stride 2 up, with no skips.

After the encoder-decoder of Noh, Hong and Han, ICCV 2015, without its unpooling. What U-Net's skips are worth is the
difference from this network on the same encoder.
"""

from collections.abc import Sequence

import keras

from maskline.models.interface import Decoded
from maskline.models.layers.blocks import conv, head, norm_relu, up_conv
from maskline.models.layers.dropout import MonteCarloDropout


def convtranspose(
    features: Sequence[keras.KerasTensor], strides: Sequence[int], classes: int, width: int, dropout: float
) -> Decoded:
    """Decode the deepest features alone; `width` channels at stride 1, doubled at each level below."""
    x = MonteCarloDropout(dropout)(features[-1])
    for level in reversed(range(strides[-1].bit_length() - 1)):
        x = norm_relu(up_conv(x, width * 2**level, kernel=3))
        x = conv(x, width * 2**level)
    return Decoded(head(x, classes), 1)
