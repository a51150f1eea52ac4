"""The part of section model that download reads: the encoder and the origin of the initial weights."""

from maskline.params.section import Name, OwnPath, Section


class EncoderParams(Section):
    """The encoder's name, the origin of its initial weights, and the model that the whole network starts from.

    Only `ModelParams` checks the names, so that a new network leaves download up to date.
    """

    encoder: Name
    encoder_weights: Name
    start_from: OwnPath
