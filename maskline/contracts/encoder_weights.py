"""encoder.json: the encoder's initial weights that download prepared."""

from typing import Literal

from maskline.contracts.folders import WEIGHTS
from maskline.files.records import Record

PATH = WEIGHTS / "encoder.json"

Origin = Literal["none", "imagenet", "file"]


def origin_of(param: str) -> Origin:
    """Return the origin that the param model.encoder_weights asks for: anything else than two names is a path."""
    if param == "none":
        return "none"
    return "imagenet" if param == "imagenet" else "file"


class EncoderWeights(Record):
    """The encoder, the origin of its weights, and their file next to encoder.json with its SHA-256; None: no file."""

    encoder: str
    weights: Origin
    file: str | None
    sha256: str | None
