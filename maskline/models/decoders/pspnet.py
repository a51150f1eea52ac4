"""PSPNet: pyramid pooling over 1, 2, 3 and 6 bins, and an auxiliary loss on the second to last stage.

Zhao, Shi, Qi, Wang and Jia, CVPR 2017.
"""

from collections.abc import Mapping

import tensorflow as tf
from keras import layers

from maskline.models.interface import Decoded, Features, Loss
from maskline.models.layers.blocks import conv, head, scaled
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import AdaptiveAveragePooling, ResizeLike, Upsampling

_BINS = (1, 2, 3, 6)
_AUXILIARY_WEIGHT = 0.4


def pspnet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Concatenate the deepest features with their averages over each grid; 512 channels at width 64."""
    x = features.deepest
    channels = scaled(512, width)
    pooled = [conv(AdaptiveAveragePooling(bins)(x), channels, kernel=1) for bins in _BINS]
    x = conv(layers.Concatenate()([x, *(ResizeLike()([part, x]) for part in pooled)]), channels)
    logits = head(MonteCarloDropout(dropout)(x), classes)
    early = MonteCarloDropout(dropout, stream=1)(conv(features.levels[-2], scaled(256, width)))
    auxiliary = Upsampling(features.strides[-2], dtype="float32")(head(early, classes))
    return Decoded(logits, features.output_stride, {"auxiliary": auxiliary})


def auxiliary_loss(outputs: Mapping[str, tf.Tensor], labels: tf.Tensor, loss: Loss) -> tf.Tensor:
    """Return 0.4 times the loss of the auxiliary logits."""
    return _AUXILIARY_WEIGHT * loss(labels, outputs["auxiliary"])
