"""The part of section model that download reads: the encoder, and where its first weights come from."""

from maskline.params.section import Name, Section


class EncoderParams(Section):
    """The encoder's name and its first weights.

    Which names exist is for section model to say, so that a new network leaves download up to date.
    """

    encoder: Name
    encoder_weights: Name
