"""encoder.json: the initial weights of the encoder or of the whole network, which download prepares."""

from typing import Literal

from maskline.contracts.folders import WEIGHTS
from maskline.files.records import Record

PATH = WEIGHTS / "encoder.json"

Origin = Literal["none", "imagenet", "file", "model"]


def origin_of(encoder_weights: str, start_from: str | None) -> Origin:
    """Return the origin of the weights.

    Args:
        encoder_weights: the param model.encoder_weights: none, imagenet or a path.
        start_from: the param model.start_from: the path of a model, or None.
    """
    if start_from:
        return "model"
    if encoder_weights == "none":
        return "none"
    return "imagenet" if encoder_weights == "imagenet" else "file"


class EncoderWeights(Record):
    """The encoder, the origin of the weights, and the file of them next to encoder.json with its SHA-256, or None."""

    encoder: str
    weights: Origin
    file: str | None
    sha256: str | None
