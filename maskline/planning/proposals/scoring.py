"""The size at which test images are scored."""

from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Fingerprint

_LARGE = 4_000_000  # pixels


def scoring(fingerprint: Fingerprint) -> Choice:
    """Choose the resolution of evaluate."""
    height, width = fingerprint.median
    if height * width > _LARGE:
        return Choice(
            "evaluate.resolution", "model", f"images of {height}x{width} take long to score at their own size"
        )
    return Choice("evaluate.resolution", "native", "models of different sizes can then be compared")
