"""SegNet: VGG's convolutions mirrored, with max-unpooling by the encoder's pooling indices.

Badrinarayanan, Kendall and Cipolla, TPAMI 2017.
"""

import keras

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, head
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.unpooling import MaxUnpooling

_CONVOLUTIONS = (3, 3, 3, 2, 2)  # of each block, from the deepest; the last one is the classifier
_MIDDLE = 3  # blocks from the deepest that drop features, in Bayesian SegNet


def segnet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode VGG's last pooling with the encoder's channels; `width` changes nothing."""
    return mirrored(MonteCarloDropout(dropout)(features.deepest), features, classes)


def mirrored(x: keras.KerasTensor, features: Features, classes: int, middle_dropout: float = 0.0) -> Decoded:
    """Unpool and convolve x by the blocks of VGG in reverse.

    Args:
        x: the last pooling.
        features: the encoder's, those before each pooling and the last pooling.
        classes: number of logits.
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
