"""A model for prediction in Python: `maskline.load_model`."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps
from pydantic import ValidationError

from maskline.contracts.model_info import ModelInfo
from maskline.errors import ImageError, InputError
from maskline.files.further_images import rgb
from maskline.messages import os_sentence
from maskline.prediction import bounds
from maskline.prediction.areas import ClassArea, Sums, areas
from maskline.prediction.image_rows import ArrayRows, ImageRows
from maskline.prediction.labels import check_shape, labeled_rows
from maskline.prediction.open_image import open_image
from maskline.prediction.options import Options, Refinement, check_options, refine
from maskline.prediction.runtime import Runtime
from maskline.prediction.runtimes.opening import open_runtime

_MUST_BE = {
    "flip": "flip must be True or False",
    "window": f"window must be None, or a whole number from {bounds.WINDOW[0]} to {bounds.WINDOW[1]}",
    "scales": f"scales must be one or more numbers from {bounds.SCALE[0]:g} to {bounds.SCALE[1]:g}",
    "dropout_samples": (
        f"dropout_samples must be a whole number from {bounds.DROPOUT_SAMPLES[0]} to {bounds.DROPOUT_SAMPLES[1]}"
    ),
    "refine": "refine_with must be 'none', 'crf' or 'grabcut'",
}


class LabeledImage(NamedTuple):
    """The prediction of an image, at the image's own size.

    Attributes:
        labels: uint8 [H, W], positions in the model's classes.
        confidence: float32 [H, W], the probability of each label.
        areas: of each class, in the order of the model's classes.
    """

    labels: np.ndarray
    confidence: np.ndarray
    areas: tuple[ClassArea, ...]


class Predictor:
    """A trained model, ready to label images of any size.

    Args:
        path: of a .keras file, of an exported .onnx or .tflite file, or of a SavedModel's folder. Only a .keras file
            and a SavedModel need TensorFlow.

    Raises:
        ArtifactError: the file is missing, damaged, or not a model of this project.
        InputError: the file is of another kind, or the package that runs it is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._runtime: Runtime = open_runtime(self._path)

    @property
    def info(self) -> ModelInfo:
        """The model's classes and input."""
        return self._runtime.info

    def predict(
        self,
        image: str | os.PathLike[str] | Image.Image | np.ndarray,
        *,
        flip: bool = False,
        window: int | None = None,
        scales: tuple[float, ...] = (1.0,),
        dropout_samples: int = 0,
        refine_with: Refinement = "none",
    ) -> LabeledImage:
        """Label an image.

        Args:
            image: a path, a picture of Pillow, or an array uint8 [H, W, 3], RGB.
            flip: whether to average with the prediction of the mirrored image.
            window: side in pixels of the windows in which the image is predicted at its own size; None: it is fitted
                as the training images were.
            scales: factors of the image's size; the predictions are averaged.
            dropout_samples: number of predictions with dropout to average, only for a .keras file; 0: the
                architecture's own number.
            refine_with: what moves the borders between classes to edges in the image.

        Raises:
            InputError: the image is missing or cannot be read, an option is out of its range, or the model cannot do
                what the options ask for.
            ValueError: an array is not uint8 [H, W, 3].
        """
        options = _options(flip=flip, window=window, scales=scales, dropout_samples=dropout_samples, refine=refine_with)
        check_options(self._runtime, options, self._path)
        rows, name = _rows(image), _name(image)
        check_shape(self._runtime, rows, options.inference, name)
        bands = list(labeled_rows(self._runtime, rows, options.inference, refine(options), name))
        labels, confidence = (np.concatenate(parts) for parts in zip(*bands, strict=True))
        names = [c.name for c in self.info.classes]
        sums = Sums(len(names))
        sums.add(labels, confidence)
        return LabeledImage(labels, confidence, areas(names, sums.pixels.tolist(), sums.confidence.tolist()))


def load_model(path: str | os.PathLike[str]) -> Predictor:
    """Load a trained model for prediction; see `Predictor`."""
    return Predictor(path)


def _options(**values: Any) -> Options:
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        option = str(error.errors()[0]["loc"][0])
        raise InputError(f"{_MUST_BE[option]}. Received: {values[option]!r}") from None


def _name(image: str | os.PathLike[str] | Image.Image | np.ndarray) -> str:
    return "in memory" if isinstance(image, Image.Image | np.ndarray) else os.fspath(image)


def _rows(image: str | os.PathLike[str] | Image.Image | np.ndarray) -> ImageRows:
    if isinstance(image, Image.Image):
        return ArrayRows(np.asarray(rgb(ImageOps.exif_transpose(image), "in memory")))
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"an image must be uint8 [H, W, 3]. Received: {image.dtype} {list(image.shape)}")
        return ArrayRows(image)
    try:
        return open_image(Path(image), os.fspath(image)).rows
    except OSError as error:
        raise ImageError(os_sentence(error, "try again")) from None
