"""All architectures by name."""

from maskline.models.decoders import pspnet
from maskline.models.decoders.bayesian_segnet import SAMPLES, bayesian_segnet
from maskline.models.decoders.convtranspose import convtranspose
from maskline.models.decoders.deeplab import deeplab
from maskline.models.decoders.deeplabv3 import deeplabv3
from maskline.models.decoders.deeplabv3plus import deeplabv3plus
from maskline.models.decoders.enet import enet
from maskline.models.decoders.fcn import fcn8s, fcn16s, fcn32s
from maskline.models.decoders.fpn import fpn
from maskline.models.decoders.linknet import linknet
from maskline.models.decoders.panet import panet
from maskline.models.decoders.panoptic_fpn import panoptic_fpn
from maskline.models.decoders.pointrend import pointrend
from maskline.models.decoders.segnet import segnet
from maskline.models.decoders.unet import unet
from maskline.models.decoders.unet_pix2pix import unet_pix2pix
from maskline.models.interface import Architecture

# PointRend is not here: it is one of these, refined.
ARCHITECTURES = {
    "convtranspose": Architecture(convtranspose),
    "fcn32s": Architecture(fcn32s),
    "fcn16s": Architecture(fcn16s),
    "fcn8s": Architecture(fcn8s),
    "segnet": Architecture(segnet),
    "bayesian_segnet": Architecture(bayesian_segnet, encoder_dropout=True, samples=SAMPLES),
    "unet": Architecture(unet),
    "unet_pix2pix": Architecture(unet_pix2pix),
    "deeplab": Architecture(deeplab),
    "deeplabv3": Architecture(deeplabv3, multi_grid=True),
    "deeplabv3plus": Architecture(deeplabv3plus),
    "enet": Architecture(enet, encoder_dropout=True),
    "pspnet": Architecture(pspnet.pspnet, pspnet.auxiliary_loss),
    "fpn": Architecture(fpn),
    "panoptic_fpn": Architecture(panoptic_fpn),
    "panet": Architecture(panet),
    "linknet": Architecture(linknet),
}


def find_architecture(name: str, coarse: str) -> Architecture:
    """Return an architecture by name; 'pointrend' refines the one named `coarse`."""
    return pointrend(ARCHITECTURES[coarse]) if name == "pointrend" else ARCHITECTURES[name]
