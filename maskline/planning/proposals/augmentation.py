"""Augmentation by the number of images and of passes: what is seen often is varied more."""

import re

from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Fingerprint
from maskline.planning.wording import plural

_FEW, _MANY = 100, 5000  # train images
_SHORT, _LONG = 10, 30  # epochs
_SIDES = re.compile(r"(?<![a-z])(left|right)(?![a-z])")


def augmentation(fingerprint: Fingerprint, images: int, epochs: int) -> list[Choice]:
    """Choose how much each image varies.

    Args:
        images: number of train images.
        epochs: passes over them.
    """
    strength = _strength(images, epochs)
    reason = f"each of {plural(images, 'train image')} is seen {epochs:,} times"
    if not strength:
        reason += ", too rarely to be learned by heart"
    rotation = 10.0 * strength if images < _FEW else 0.0
    return [
        _flip(fingerprint),
        Choice("augment.scale", 0.25 * strength, reason),
        Choice("augment.rotation", rotation, reason),
        Choice("augment.brightness", 0.1 * strength, reason),
        Choice("augment.contrast", 0.2 * strength, reason),
        Choice("augment.saturation", 0.2 * strength, reason),
    ]


def _strength(images: int, epochs: int) -> float:
    if epochs < _SHORT:
        return 0.0
    return 0.5 if epochs < _LONG or images >= _MANY else 1.0


def _flip(fingerprint: Fingerprint) -> Choice:
    for each in fingerprint.classes:
        if _SIDES.search(each.name.lower()):
            return Choice("augment.flip", False, f"the class {each.name} depends on the side")
    return Choice("augment.flip", True, "no class is named after a side")
