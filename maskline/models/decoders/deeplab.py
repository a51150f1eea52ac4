"""DeepLab v1 and v2: atrous convolution at output stride 8, and a classifier with a large field of view.

v1 is DeepLab-LargeFOV (Chen et al., ICLR 2015), v2 is DeepLab-ASPP (Chen et al., TPAMI 2018). The papers start fc6 and
fc7 from a classifier's weights, and refine the predictions with a fully connected CRF, which is not part of the
network. v2's paper also takes the maximum of the scores of three image sizes; here the network sees one size.
"""

import keras
from keras import layers

from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import head, scaled
from maskline.models.layers.dropout import MonteCarloDropout

_RATE = 12
_ASPP_RATES = (6, 12, 18, 24)


def deeplab(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Classify the deepest features with fc6 (3x3, rate 12) and fc7, which have 1024 channels at width 64."""
    x = _hidden(features.deepest, _RATE, width, dropout)
    return Decoded(head(x, classes), features.output_stride)


def deeplabv2(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Sum the scores of four branches with the rates 6, 12, 18 and 24 (ASPP-L).

    As in the paper, each branch has the hidden layers fc6 and fc7 on VGG, and is one 3x3 convolution to scores on other
    encoders. There, dropout, which the paper lacks, acts on the deepest features.
    """
    x = features.deepest
    if features.of_vgg:
        branches = [
            head(_hidden(x, rate, width, dropout, first_stream=10 * number), classes)
            for number, rate in enumerate(_ASPP_RATES, 1)
        ]
    else:
        x = MonteCarloDropout(dropout)(x)
        branches = [head(x, classes, kernel=3, rate=rate) for rate in _ASPP_RATES]
    return Decoded(layers.Add(dtype="float32")(branches), features.output_stride)


def _hidden(x: keras.KerasTensor, rate: int, width: int, dropout: float, first_stream: int = 6) -> keras.KerasTensor:
    """Return fc6, a 3x3 convolution of this rate, and fc7 on top of it; dropout follows each."""
    for stream, (kernel, dilation) in enumerate(((3, rate), (1, 1)), first_stream):
        x = layers.Conv2D(
            scaled(1024, width),
            kernel,
            padding="same",
            dilation_rate=dilation,
            activation="relu",
            kernel_initializer="he_normal",
        )(x)
        x = MonteCarloDropout(dropout, stream=stream)(x)
    return x
