"""PANet: FPN with bottom-up path augmentation, under FPN's summed segmentation head.

Liu, Qi, Qin, Shi and Jia, CVPR 2018, whose instance heads are left out.
"""

from keras import layers

from maskline.models.decoders.fpn import pyramid, summed_head
from maskline.models.interface import Decoded, Features
from maskline.models.layers.blocks import conv, scaled


def panet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Carry the pyramid from stride 4 down to 32 again, adding its levels, and sum; 256 and 128 channels at 64."""
    channels = scaled(256, width)
    levels = pyramid(features, channels)
    x = levels[4]
    augmented = {4: x}
    for stride in (8, 16, 32):
        x = conv(layers.Add()([conv(x, channels, strides=2), levels[stride]]), channels)
        augmented[stride] = x
    return summed_head(augmented, classes, scaled(128, width), dropout)
