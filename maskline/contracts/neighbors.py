"""examples/neighbors/: small pictures of the nearest pairs across splits, which the audit's leakage lists first."""

from maskline.contracts.audit import HeldOut
from maskline.contracts.examples import FOLDER as EXAMPLES

FOLDER = EXAMPLES / "neighbors"
MOST = 4  # pictures of each split


def picture_name(role: HeldOut, number: int) -> str:
    """Return the name of a pair's picture in FOLDER; its left half is the image, its right half the one of train."""
    return f"{role}-{number}.png"
