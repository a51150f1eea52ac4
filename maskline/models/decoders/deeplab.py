"""DeepLab v1 with a large field of view: atrous convolution at output stride 8, and fc6 with rate 12.

Chen et al., ICLR 2015 (DeepLab-LargeFOV). The paper starts fc6 and fc7 from a classifier's weights, and refines the
predictions with a fully connected CRF, which is not part of the network.
"""

from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import head, scaled
from maskline.models.layers.dropout import MonteCarloDropout

_RATE = 12


def deeplab(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Classify the deepest features with fc6 (3x3, rate 12) and fc7, which have 1024 channels at width 64."""
    x = features.deepest
    for kernel, rate, stream in ((3, _RATE, 6), (1, 1, 7)):
        x = layers.Conv2D(
            scaled(1024, width),
            kernel,
            padding="same",
            dilation_rate=rate,
            activation="relu",
            kernel_initializer="he_normal",
        )(x)
        x = MonteCarloDropout(dropout, stream=stream)(x)
    return Decoded(head(x, classes), features.output_stride)
