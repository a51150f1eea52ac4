"""The options of `maskline predict` that change labels."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from maskline.files.records import Record
from maskline.prediction.inference import Inference

Refinement = Literal["none", "crf", "grabcut"]


class Options(Record):
    """How images are predicted.

    Attributes:
        flip: whether to average with the prediction of the mirrored image.
        window: side in pixels of the windows in which images are predicted at their own size; None: an image is
            fitted as the training images were.
        scales: factors of the image's size; the predictions are averaged.
        dropout_samples: number of predictions with dropout to average; 0: the architecture's own number.
        refine: what moves the borders between classes to edges in the image.
    """

    flip: bool = False
    window: int | None = None
    scales: tuple[float, ...] = (1.0,)
    dropout_samples: int = 0
    refine: Refinement = "none"

    @property
    def inference(self) -> Inference:
        """What the prediction itself needs to know."""
        return Inference(self.flip, self.scales, self.window, self.dropout_samples)


def refine(options: Options) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Return the function that refines a prediction; None: take the most probable labels."""
    if options.refine == "none":
        return None
    # Not at the top, because SciPy and OpenCV start slowly.
    from maskline.prediction.refine.choice import refinement
    from maskline.prediction.refine.crf import CrfParams

    return refinement(options.refine, CrfParams())
