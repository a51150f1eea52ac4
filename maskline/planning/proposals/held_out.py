"""The shares of train that are held out: enough images to trust a score, and not more of many."""

from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Fingerprint

_FEWEST, _ENOUGH = 10, 500  # images of a held-out split
_MOST = 0.3


def held_out(fingerprint: Fingerprint) -> list[Choice]:
    """Choose the share of each split that the source does not have."""
    images = fingerprint.images.get("train", 0)
    choices = []
    if not fingerprint.images.get("test"):
        choices.append(_choice("test_fraction", images, 0.2))
        images -= round(images * choices[0].value)
    if not fingerprint.images.get("validation"):
        choices.append(_choice("validation_fraction", images, 0.1))
    return choices


def _choice(key: str, images: int, usual: float) -> Choice:
    few, many = _FEWEST / max(1, images), _ENOUGH / max(1, images)
    share = round(min(_MOST, max(few, min(usual, many))), 3)
    count = max(1, round(images * share))
    if count < _FEWEST:
        reason = f"{count} of {images} images; a score of so few is rough, and more would be missing in training"
    elif share > usual:
        reason = f"{count} of {images} images; a score of fewer would be too rough"
    else:
        reason = f"{count} of {images} images"
    return Choice(f"dataset.{key}", share, reason)
