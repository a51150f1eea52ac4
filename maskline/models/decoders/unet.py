"""U-Net: an expanding path that concatenates the encoder's features at every level.

Ronneberger, Fischer and Brox, MICCAI 2015. Padded convolutions keep the size, and batch normalization follows each, as
in most later work.
"""

from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import double_conv, head, up_conv
from maskline.models.layers.dropout import MonteCarloDropout


def unet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode from the deepest features up, with `width` channels at stride 1, twice as many at each deeper level.

    Dropout is at the end of the contracting path, as in the paper.
    """
    x = MonteCarloDropout(dropout)(features.deepest)
    for level in reversed(range(features.output_stride.bit_length() - 1)):
        x = up_conv(x, width * 2**level)
        if 2**level in features.strides:
            x = layers.Concatenate()([features.at(2**level), x])
        x = double_conv(x, width * 2**level)
    return Decoded(head(x, classes), 1)
