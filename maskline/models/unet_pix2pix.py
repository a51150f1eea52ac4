"""The modified U-Net of TensorFlow's segmentation tutorial: MobileNetV2 features and the up-sampling of pix2pix.

https://www.tensorflow.org/tutorials/images/segmentation; Isola et al., CVPR 2017.
"""

from collections.abc import Sequence

import keras
from keras import layers

from maskline.models.blocks import pix2pix_upsample

_CHANNELS = (512, 256, 128, 64)  # at strides 16, 8, 4 and 2


def unet_pix2pix(
    features: Sequence[keras.KerasTensor], strides: Sequence[int], classes: int, width: int, dropout: float
) -> keras.KerasTensor:
    """Return logits float32 [B, H, W, classes] at the images' size.

    Args:
        features: the encoder's at strides 2 to 32, from shallow to deep.
        strides: theirs.
        classes: number of logits.
        width: has no say; the channels are the tutorial's.
        dropout: share of the deepest features dropped in training; the tutorial's is 0.
    """
    *skips, x = features
    x = layers.Dropout(dropout)(x)
    for channels, skip in zip(_CHANNELS, reversed(skips), strict=True):
        x = layers.Concatenate()([pix2pix_upsample(x, channels), skip])
    return layers.Conv2DTranspose(classes, 3, strides=2, padding="same", dtype="float32", name="logits")(x)
