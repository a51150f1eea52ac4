"""The networks that params may name, the encoders each can stand on, and their output strides."""

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


def _first(encoder: str) -> tuple[str, ...]:
    """Return the encoders with ImageNet weights, a paper's own before the others."""
    return (encoder, *(name for name in _APPLICATIONS if name != encoder))


ENCODERS = ("unet", "enet", "vgg16_bn", "vgg19_bn", *_APPLICATIONS)

# SegNet's VGG takes the convolutions of the plain one.
WITH_IMAGENET = (*_APPLICATIONS, "vgg16_bn", "vgg19_bn")

# The encoders each architecture can stand on; the first is the one its paper used, or the nearest to it.
ENCODERS_OF = {
    "convtranspose": ("unet", *_APPLICATIONS),
    "fcn32s": _first("vgg16"),
    "fcn16s": _first("vgg16"),
    "fcn8s": _first("vgg16"),
    # Their decoders need the indices of 2x2 max-pooling, which other encoders do not have.
    "segnet": ("vgg16_bn", "vgg19_bn", "vgg16", "vgg19"),
    "bayesian_segnet": ("vgg16_bn", "vgg19_bn"),
    "unet": ("unet", *_APPLICATIONS),
    "unet_pix2pix": _first("mobilenet_v2"),
    "deeplab": _first("vgg16"),
    "deeplabv3": _first("resnet50"),
    "deeplabv3plus": _first("xception"),
    "enet": ("enet",),
    "pspnet": _first("resnet50"),
    "fpn": _first("resnet50"),
    "panoptic_fpn": _first("resnet50"),
    "panet": _first("resnet50"),
    "linknet": _first("resnet50"),
    "pointrend": _first("resnet50"),
}

# The output strides of those that dilate their encoder; the first is the paper's. All others have 32.
OUTPUT_STRIDES_OF = {"deeplab": (8,), "deeplabv3": (16, 8), "deeplabv3plus": (16, 8), "pspnet": (8, 16)}

# What PointRend can refine: networks whose own logits are smaller than the image.
COARSE = ("deeplab", "deeplabv3", "deeplabv3plus", "pspnet", "fpn", "panoptic_fpn", "panet")
