"""Every network and every encoder by name, with the properties that params, docs and registry need.

This file imports no TensorFlow. A new network is a file in decoders/ and an entry in `NETWORKS`.
"""

from typing import NamedTuple


class Encoder(NamedTuple):
    """An encoder.

    Attributes:
        imagenet: whether download can fetch ImageNet weights for it.
        batch_norm: whether it has batch normalization.
    """

    imagenet: bool
    batch_norm: bool = True


class Network(NamedTuple):
    """A network without its encoder.

    Attributes:
        module: its file in decoders/; the decoder is the function there that has the network's name.
        encoders: the encoders that it works with; the first is the paper's or the most similar one.
        output_strides: the encoder output strides that it works with; the first is the paper's.
        refinable: whether PointRend can refine it, which needs logits smaller than the image.
        refines: whether it refines a refinable network; its function then takes and returns an `Architecture`.
        auxiliary_loss: whether its file has a function `auxiliary_loss`, which is added to the loss of the logits.
        encoder_dropout: whether to drop features inside the encoder too, if the encoder supports it.
        multi_grid: what multiplies the dilation rates of the three blocks of a ResNet's last stage.
        image_pooling: whether it normalizes the average of a whole image, which needs batches of two images or more.
        samples: number of passes with dropout that inference averages; 0: one pass without dropout.
    """

    module: str
    encoders: tuple[str, ...]
    output_strides: tuple[int, ...] = (32,)
    refinable: bool = False
    refines: bool = False
    auxiliary_loss: bool = False
    encoder_dropout: bool = False
    multi_grid: tuple[int, int, int] = (1, 1, 1)
    image_pooling: bool = False
    samples: int = 0


# Networks of keras.applications.
_APPLICATIONS = (
    "mobilenet_v2",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg16",
    "vgg19",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_b0",
    "xception",
)

# SegFormer's Mix Transformers, whose features have strides 4, 8, 16, 32.
_MIX_TRANSFORMERS = ("mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5")

ENCODERS = {
    "unet": Encoder(imagenet=False),
    "enet": Encoder(imagenet=False),
    # SegNet's VGG starts from the convolutions of the VGG without batch normalization.
    "vgg16_bn": Encoder(imagenet=True),
    "vgg19_bn": Encoder(imagenet=True),
    **{name: Encoder(imagenet=True, batch_norm=name not in ("vgg16", "vgg19")) for name in _APPLICATIONS},
    **{name: Encoder(imagenet=False, batch_norm=False) for name in _MIX_TRANSFORMERS},
}


def _first(encoder: str) -> tuple[str, ...]:
    """Return an encoder followed by all other networks of keras.applications."""
    return (encoder, *(name for name in _APPLICATIONS if name != encoder))


NETWORKS = {
    "convtranspose": Network("convtranspose", _first("unet")),
    "fcn32s": Network("fcn", _first("vgg16")),
    "fcn16s": Network("fcn", _first("vgg16")),
    "fcn8s": Network("fcn", _first("vgg16")),
    # These decoders need the indices of 2x2 max-pooling, which other encoders do not have.
    "segnet": Network("segnet", ("vgg16_bn", "vgg19_bn", "vgg16", "vgg19")),
    # The paper finds that about 6 samples beat SegNet's own averaging of weights, and that 40 add little more.
    "bayesian_segnet": Network("bayesian_segnet", ("vgg16_bn", "vgg19_bn"), encoder_dropout=True, samples=8),
    "unet": Network("unet", (*_first("unet"), *_MIX_TRANSFORMERS)),
    "unet_nearest": Network("unet", (*_first("unet"), *_MIX_TRANSFORMERS)),
    "unet_pix2pix": Network("unet_pix2pix", _first("mobilenet_v2")),
    "unet_pix2pix_nearest": Network("unet_pix2pix", _first("mobilenet_v2")),
    "deeplab": Network("deeplab", _first("vgg16"), (8,), refinable=True),
    "deeplabv2": Network("deeplab", _first("resnet101"), (8,), refinable=True),
    "deeplabv3": Network(
        "deeplabv3", _first("resnet50"), (16, 8), refinable=True, multi_grid=(1, 2, 4), image_pooling=True
    ),
    "deeplabv3_cascade": Network(
        "deeplabv3_cascade", _first("resnet50"), (16, 8), refinable=True, multi_grid=(1, 2, 1)
    ),
    "deeplabv3plus": Network("deeplabv3plus", _first("xception"), (16, 8), refinable=True, image_pooling=True),
    "enet": Network("enet", ("enet",), encoder_dropout=True),
    "pspnet": Network("pspnet", _first("resnet50"), (8, 16), refinable=True, auxiliary_loss=True, image_pooling=True),
    "fpn": Network("fpn", (*_first("resnet50"), *_MIX_TRANSFORMERS), refinable=True),
    "panoptic_fpn": Network("panoptic_fpn", (*_first("resnet50"), *_MIX_TRANSFORMERS), refinable=True),
    "panet": Network("panet", (*_first("resnet50"), *_MIX_TRANSFORMERS), refinable=True),
    "linknet": Network("linknet", _first("resnet50")),
    "pointrend": Network("pointrend", _first("resnet50"), refines=True),
    "segformer": Network("segformer", (*_MIX_TRANSFORMERS, *_APPLICATIONS)),
}

REFINABLE = tuple(name for name, network in NETWORKS.items() if network.refinable)
