"""encoder.json: the encoder's initial weights that download prepared."""

from typing import Literal

from maskline.contracts.folders import WEIGHTS
from maskline.files.records import Record

PATH = WEIGHTS / "encoder.json"


class EncoderWeights(Record):
    """The encoder, the origin of its weights, and their file next to encoder.json with its SHA-256; None: no file."""

    encoder: str
    weights: Literal["none", "imagenet", "file"]
    file: str | None
    sha256: str | None
