"""The options of `maskline predict` that change labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from maskline.errors import InputError
from maskline.files.records import Record
from maskline.prediction import bounds
from maskline.prediction.inference import Inference, check
from maskline.prediction.runtime import Runtime

Refinement = Literal["none", "crf", "grabcut"]
_Window = Annotated[int, Field(ge=bounds.WINDOW[0], le=bounds.WINDOW[1])]
_Scale = Annotated[float, Field(ge=bounds.SCALE[0], le=bounds.SCALE[1])]
_Samples = Annotated[int, Field(ge=bounds.DROPOUT_SAMPLES[0], le=bounds.DROPOUT_SAMPLES[1])]


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
    window: _Window | None = None
    scales: Annotated[tuple[_Scale, ...], Field(min_length=1)] = (1.0,)
    dropout_samples: _Samples = 0
    refine: Refinement = "none"

    @property
    def inference(self) -> Inference:
        """What the prediction itself needs to know."""
        return Inference(self.flip, self.scales, self.window, self.dropout_samples)


def check_options(runtime: Runtime, options: Options, model: Path) -> None:
    """Refuse options that a model cannot do.

    Raises:
        InputError: the model cannot do what the options ask for; the sentence names its file.
    """
    try:
        check(runtime, options.inference)
    except InputError as error:
        raise InputError(f"{model}: {error}") from None


def refine(options: Options) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Return the function that refines a prediction; None: take the most probable labels."""
    if options.refine == "none":
        return None
    # Not at the top, because SciPy and OpenCV start slowly.
    from maskline.prediction.refine.choice import refinement
    from maskline.prediction.refine.crf import CrfParams

    return refinement(options.refine, CrfParams())
