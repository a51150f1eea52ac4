"""The choice of a refinement by its name."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from maskline.prediction.refine.crf import CrfParams, refined_by_crf
from maskline.prediction.refine.grabcut import GrabCutParams, refined_by_grabcut

# An image uint8 [H, W, 3] and probabilities float32 [H, W, C] to labels uint8 [H, W].
Refine = Callable[[np.ndarray, np.ndarray], np.ndarray]


def refinement(name: Literal["none", "crf", "grabcut"], crf: CrfParams) -> Refine | None:
    """Return the function that refines a prediction; None: take the most probable labels."""
    if name == "none":
        return None
    if name == "crf":
        return lambda image, probabilities: refined_by_crf(image, probabilities, crf).argmax(axis=-1)
    return partial(refined_by_grabcut, params=GrabCutParams())
