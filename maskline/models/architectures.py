"""All architectures by name."""

from maskline.models import pspnet
from maskline.models.bayesian_segnet import SAMPLES, bayesian_segnet
from maskline.models.convtranspose import convtranspose
from maskline.models.deeplab import deeplab
from maskline.models.deeplabv3 import deeplabv3
from maskline.models.deeplabv3plus import deeplabv3plus
from maskline.models.enet import enet
from maskline.models.fcn import fcn8s, fcn16s, fcn32s
from maskline.models.fpn import fpn
from maskline.models.interface import Architecture
from maskline.models.linknet import linknet
from maskline.models.panet import panet
from maskline.models.panoptic_fpn import panoptic_fpn
from maskline.models.pointrend import pointrend
from maskline.models.segnet import segnet
from maskline.models.unet import unet
from maskline.models.unet_pix2pix import unet_pix2pix

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
