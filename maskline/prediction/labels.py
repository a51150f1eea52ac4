"""The labels of one image of any size, in bands of rows, so that memory does not grow with the image."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from maskline.contracts.fit import is_too_long
from maskline.errors import ImageError
from maskline.prediction.fitting import content, fitted, model_input
from maskline.prediction.image_rows import ImageRows
from maskline.prediction.inference import (
    Inference,
    check,
    confidence_of,
    most_probable,
    nan_error,
    of_any_size,
    probabilities_predictor,
)
from maskline.prediction.resizing import resized_bands
from maskline.prediction.runtime import Runtime
from maskline.prediction.windows import predicted_bands

if TYPE_CHECKING:
    from maskline.prediction.refine.choice import Refine  # imports SciPy and OpenCV, which start slowly


class LabeledRows(NamedTuple):
    """A band of rows over the whole width of an image.

    Attributes:
        labels: uint8 [rows, W].
        confidence: float32 [rows, W], the probabilities of the labels.
    """

    labels: np.ndarray
    confidence: np.ndarray


def labeled_rows(
    runtime: Runtime,
    image: ImageRows,
    inference: Inference,
    refine: "Refine | None" = None,
    name: str = "in memory",
) -> Iterator[LabeledRows]:
    """Yield the labels of an image at its own size, from its first row to its last.

    Without a window, the image is fitted as preprocess fits the training images, and the probabilities are placed back
    on it before the most probable class is taken. With a window, the image is predicted at its own size. Scales,
    samples of dropout and refinement hold the whole image's probabilities in memory.

    Args:
        runtime: of the model.
        image: to label.
        inference: the options.
        refine: what makes labels of an image and its probabilities; None: take the most probable ones.
        name: of the image, for messages.

    Raises:
        InputError: the model cannot do what the options ask for, or a probability is NaN.
    """
    check(runtime, inference)
    bands = _probability_bands(runtime, image, inference)
    if refine:
        whole = np.concatenate(list(bands))
        labels = refine(image.rows(0, image.height), whole).astype(np.uint8)
        yield _checked(LabeledRows(labels, confidence_of(labels, whole)), name)
        return
    for band in bands:
        yield _checked(LabeledRows(*most_probable(band)), name)


def check_shape(runtime: Runtime, image: ImageRows, inference: Inference, name: str) -> None:
    """Refuse an image that takes too much memory at the scale at which it is predicted.

    Raises:
        ImageError: the model was trained on the middles of images, and the image is much longer than they are.
    """
    made = runtime.info.preprocessing
    if inference.window is None and is_too_long((image.height, image.width), made.size, made.fit):
        raise ImageError(
            f"image {name} has the size {image.height}x{image.width}, too long a shape for a model trained on the "
            f"middles of images at {made.height}x{made.width} (height x width); cut it, or predict with a window."
        )


def _probability_bands(runtime: Runtime, image: ImageRows, inference: Inference) -> Iterator[np.ndarray]:
    """Yield float32 [rows, W, C]."""
    if inference.window is None:
        made, size = runtime.info.preprocessing, (image.height, image.width)
        small = model_input(image.rows(0, image.height), made)
        probabilities = probabilities_predictor(runtime, fitted(inference, made))(small[None])[0]
        yield from resized_bands(probabilities[content(small.shape[:2], size, made)], size)
    elif inference.scales == (1.0,) and not inference.dropout_samples:
        yield from _streamed(runtime, image, inference)
    else:
        yield probabilities_predictor(runtime, inference)(image.rows(0, image.height)[None])[0]


def _streamed(runtime: Runtime, image: ImageRows, inference: Inference) -> Iterator[np.ndarray]:
    """Yield the probabilities of windows, averaged with those of the mirrored image if asked for."""
    assert isinstance(inference.window, int)
    predict, size = of_any_size(runtime.probabilities, runtime), (image.height, image.width)
    bands = predicted_bands(predict, lambda start, stop: image.rows(start, stop)[None], size, inference.window)
    if not inference.flip:
        yield from (band[0] for band in bands)
        return
    mirrored = predicted_bands(
        predict, lambda start, stop: image.rows(start, stop)[None, :, ::-1], size, inference.window
    )
    for band, other in zip(bands, mirrored, strict=True):
        yield (band[0] + other[0, :, ::-1]) / 2


def _checked(rows: LabeledRows, name: str) -> LabeledRows:
    if np.isnan(rows.confidence).any():
        raise nan_error(f"image {name}")
    return rows
