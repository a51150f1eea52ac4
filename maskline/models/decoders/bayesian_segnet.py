"""Bayesian SegNet: SegNet with dropout in its middle blocks, also at inference.

Kendall, Badrinarayanan and Cipolla, BMVC 2017. The prediction is the mean of the samples' probabilities, and the
uncertainty is their variance.
"""

from maskline.models.decoders.segnet import mirrored
from maskline.models.interface import Decoded, Features


def bayesian_segnet(features: Features, classes: int, width: int, dropout: float) -> Decoded:
    """Decode as SegNet does, with dropout after the three deepest blocks, as in the encoder."""
    return mirrored(features.deepest, features, classes, middle_dropout=dropout)
