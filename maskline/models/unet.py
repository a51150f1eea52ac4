"""U-Net: an expanding path that concatenates the encoder's features at every level.

Ronneberger, Fischer and Brox, MICCAI 2015. Padded convolutions keep the size, and batch normalisation follows each, as
in most later work.
"""

from collections.abc import Sequence

import keras
from keras import layers

from maskline.models.blocks import double_conv, head, up_conv


def unet(
    features: Sequence[keras.KerasTensor], strides: Sequence[int], classes: int, width: int, dropout: float
) -> keras.KerasTensor:
    """Return logits float32 [B, H, W, classes] at the images' size.

    Args:
        features: the encoder's, from shallow to deep.
        strides: theirs.
        classes: number of logits.
        width: channels at stride 1, doubled at each level below.
        dropout: share of the deepest features dropped in training, as at the end of the paper's contracting path.
    """
    skips = dict(zip(strides, features, strict=True))
    x = layers.Dropout(dropout)(skips.pop(strides[-1]))
    for level in reversed(range(strides[-1].bit_length() - 1)):
        x = up_conv(x, width * 2**level)
        if 2**level in skips:
            x = layers.Concatenate()([skips[2**level], x])
        x = double_conv(x, width * 2**level)
    return head(x, classes)
