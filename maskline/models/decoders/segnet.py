"""SegNet: the mirror image of VGG, with max-unpooling by the encoder's pooling indices.

Badrinarayanan, Kendall and Cipolla, TPAMI 2017.
"""

import keras

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, head
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.unpooling import MaxUnpooling

_CONVOLUTIONS = (3, 3, 3, 2, 2)  # of each block, from the deepest; the very last one is the classifier
_MIDDLE = 3  # number of deepest blocks that drop features in Bayesian SegNet


def segnet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode VGG's last pooling with as many channels as the encoder; `width` has no effect."""
    return mirrored(MonteCarloDropout(dropout)(features.deepest), features, classes)


def mirrored(x: keras.KerasTensor, features: Features, classes: int, middle_dropout: float = 0.0) -> Decoded:
    """Unpool and convolve x with the blocks of VGG in reverse order.

    Args:
        x: the output of the last pooling, possibly after dropout.
        features: of the encoder, from before each pooling and after the last.
        classes: number of classes.
        middle_dropout: share of features dropped after each of the three deepest blocks.
    """
    blocks = list(reversed(features.levels[:-1]))
    for index, (pooled, convolutions) in enumerate(zip(blocks, _CONVOLUTIONS, strict=True)):
        x = MaxUnpooling()([x, pooled])
        for _ in range(convolutions - 1):
            x = conv(x, pooled.shape[-1])
        if index + 1 < len(blocks):
            x = conv(x, blocks[index + 1].shape[-1])
        if index < _MIDDLE:
            x = MonteCarloDropout(middle_dropout, stream=10 + index)(x)
    return Decoded(head(x, classes, kernel=3), 1)
