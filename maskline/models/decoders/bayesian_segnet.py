"""Bayesian SegNet: SegNet with dropout in its middle blocks, sampled at inference too.

Kendall, Badrinarayanan and Cipolla, BMVC 2017. The prediction is the mean of the samples' probabilities, and the
uncertainty their variance.
"""

from collections.abc import Sequence

import keras

from maskline.models.decoders.segnet import mirrored
from maskline.models.interface import Decoded

# The paper finds that some 6 samples beat SegNet's own averaging of weights, and that 40 add little more.
SAMPLES = 8


def bayesian_segnet(
    features: Sequence[keras.KerasTensor], strides: Sequence[int], classes: int, width: int, dropout: float
) -> Decoded:
    """Decode as SegNet does, with dropout after the three deepest blocks, as the encoder has too."""
    return mirrored(features[-1], features, classes, middle_dropout=dropout)
