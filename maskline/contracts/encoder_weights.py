"""encoder.json: the initial weights of the encoder, which download prepares."""

from typing import Literal

from maskline.contracts.folders import WEIGHTS
from maskline.files.records import Record

PATH = WEIGHTS / "encoder.json"

Origin = Literal["none", "imagenet", "file"]


def origin_of(param: str) -> Origin:
    """Return the origin of the weights from the param model.encoder_weights, which is none, imagenet or a path."""
    if param == "none":
        return "none"
    return "imagenet" if param == "imagenet" else "file"


class EncoderWeights(Record):
    """The encoder, the origin of its weights, and the weights file next to encoder.json with its SHA-256, or None."""

    encoder: str
    weights: Origin
    file: str | None
    sha256: str | None
