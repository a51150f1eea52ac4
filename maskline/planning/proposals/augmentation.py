"""Augmentation by the number of images: the fewer there are, the more each is varied."""

import re

from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Fingerprint

_FEW, _MANY = 100, 5000  # train images
_SIDES = re.compile(r"(?<![a-z])(left|right)(?![a-z])")


def augmentation(fingerprint: Fingerprint, images: int) -> list[Choice]:
    """Choose how much each image varies.

    Args:
        images: number of train images.
    """
    if images >= _MANY:
        scale, rotation, colors, amount = 0.1, 0.0, 0.1, "many images"
    elif images >= _FEW:
        scale, rotation, colors, amount = 0.25, 0.0, 0.2, "not many images"
    else:
        scale, rotation, colors, amount = 0.25, 10.0, 0.2, "few images"
    reason = f"{images} train images are {amount}"
    return [
        _flip(fingerprint),
        Choice("augment.scale", scale, reason),
        Choice("augment.rotation", rotation, reason),
        Choice("augment.brightness", colors / 2, reason),
        Choice("augment.contrast", colors, reason),
        Choice("augment.saturation", colors, reason),
    ]


def _flip(fingerprint: Fingerprint) -> Choice:
    for each in fingerprint.classes:
        if _SIDES.search(each.name.lower()):
            return Choice("augment.flip", False, f"the class {each.name} depends on the side")
    return Choice("augment.flip", True, "no class is named after a side")
