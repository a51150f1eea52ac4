"""PANet: FPN with bottom-up path augmentation and FPN's segmentation head.

Liu, Qi, Qin, Shi and Jia, CVPR 2018, without the heads for instances.
"""

from keras import layers

from maskline.models.decoders.fpn import pyramid, summed_head
from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, scaled


def panet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Add a bottom-up path from stride 4 to 32 to the pyramid, and sum; at width 64, 256 channels, 128 in the head."""
    channels = scaled(256, width)
    levels = pyramid(features, channels)
    x = levels[4]
    augmented = {4: x}
    for stride in (8, 16, 32):
        x = conv(layers.Add()([conv(x, channels, strides=2), levels[stride]]), channels)
        augmented[stride] = x
    return summed_head(augmented, classes, scaled(128, width), dropout)._replace(fine=levels[4])
