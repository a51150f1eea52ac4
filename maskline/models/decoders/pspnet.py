"""PSPNet: pyramid pooling over 1, 2, 3 and 6 bins, and an auxiliary loss on the stage before the last.

Zhao, Shi, Qi, Wang and Jia, CVPR 2017.
"""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf
from keras import layers

from maskline.models.interface import Decoded, Loss
from maskline.models.layers.blocks import conv, head, scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import AdaptiveAveragePooling, ResizeLike, Upsampling

_BINS = (1, 2, 3, 6)
_AUXILIARY_WEIGHT = 0.4


def pspnet(
    features: Sequence[keras.KerasTensor], strides: Sequence[int], classes: int, width: int, dropout: float
) -> Decoded:
    """Join the deepest features with their averages over each grid; 512 channels at width 64."""
    x = features[-1]
    channels = scaled(512, width)
    pooled = [conv(AdaptiveAveragePooling(bins)(x), channels, kernel=1) for bins in _BINS]
    x = conv(layers.Concatenate()([x, *(ResizeLike()([part, x]) for part in pooled)]), channels)
    logits = head(MonteCarloDropout(dropout)(x), classes)
    early = MonteCarloDropout(dropout, stream=1)(conv(features[-2], scaled(256, width)))
    auxiliary = Upsampling(strides[-2], dtype="float32")(head(early, classes))
    return Decoded(logits, strides[-1], {"auxiliary": auxiliary})


def auxiliary_loss(outputs: Mapping[str, tf.Tensor], labels: tf.Tensor, loss: Loss) -> tf.Tensor:
    """Return 0.4 times the loss of the auxiliary logits."""
    return _AUXILIARY_WEIGHT * loss(labels, outputs["auxiliary"])
