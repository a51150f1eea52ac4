"""The part of section model that download reads: the encoder and the origin of its initial weights."""

from maskline.params.section import Name, Section


class EncoderParams(Section):
    """The encoder's name and the origin of its initial weights.

    Only `ModelParams` checks the names, so that a new network leaves download up to date.
    """

    encoder: Name
    encoder_weights: Name
