"""A split and its predictor: batches of images and labels, and the prediction of each batch."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from maskline.contracts.classes import VOID
from maskline.contracts.fit import Part
from maskline.contracts.model_info import Preprocessing
from maskline.prediction.fitting import content, model_input
from maskline.prediction.inference import Prediction, confidence_of, most_probable, nan_error
from maskline.prediction.refine.choice import Refine
from maskline.prediction.resizing import resized
from maskline.shards.read.batches import ordered_batches
from maskline.shards.read.originals import Originals
from maskline.shards.read.reader import ShardReader


class Batch(NamedTuple):
    """Images to predict and score.

    Attributes:
        indices: positions of the images in the split.
        inputs: uint8 [B, h, w, 3], the network's inputs.
        images: uint8 [B, H, W, 3], the same images at the size for scoring.
        labels: uint8 [B, H, W], void 255.
        contents: rows and columns of each image and its labels that are not padding.
    """

    indices: range
    inputs: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    contents: list[Part]


class PredictedLabels(NamedTuple):
    """The prediction of a batch at the size for scoring.

    Attributes:
        labels: uint8 [B, H, W].
        confidence: float32 [B, H, W], the probabilities of the labels.
        true_class: float32 [B, H, W], the probabilities of the true labels; 0 where they are void.
        uncertainty: float32 [B, H, W], 0 to 1.
        mutual_information: float32 [B, H, W], 0 to 1; None if dropout is not sampled.
    """

    labels: np.ndarray
    confidence: np.ndarray
    true_class: np.ndarray
    uncertainty: np.ndarray
    mutual_information: np.ndarray | None


class PredictedSplit(NamedTuple):
    """A split and its predictor.

    Attributes:
        reader: the split's shards.
        made: how the shards' images were made.
        originals: the same examples at their original sizes, to score each at its own size; None: score at the
            shards' size.
        predict_originals: whether the network's inputs are the originals instead of the resized images.
        predictor: function of images uint8 [B, h, w, 3].
        refine: None: take the most probable labels.
    """

    reader: ShardReader
    made: Preprocessing
    originals: Originals | None
    predict_originals: bool
    predictor: Callable[[np.ndarray], Prediction]
    refine: Refine | None

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the split in order. Originals come one by one, because each has its own size."""
        if self.originals:
            yield from (self.example(index) for index in range(len(self.reader)))
            return
        start = 0
        for images, labels in ordered_batches(self.reader, batch_size).as_numpy_iterator():
            indices = range(start, start + len(images))
            yield Batch(indices, images, images, labels, [self.reader.content(index) for index in indices])
            start += len(images)

    def example(self, index: int) -> Batch:
        """Return one example as a batch."""
        inputs, labels = self.reader.read([index])
        if not self.originals:
            return Batch(range(index, index + 1), inputs, inputs, labels, [self.reader.content(index)])
        image, labels = self.originals.read(index)
        if self.predict_originals:
            inputs = image[None]
        elif self.made.fit == "crop":  # the shards have only its middle
            inputs = model_input(image, self.made)[None]
        return Batch(range(index, index + 1), inputs, image[None], labels[None], [np.s_[:, :]])

    def predict(self, batch: Batch) -> PredictedLabels:
        """Predict a batch, place the prediction on the images at the size for scoring, and refine it.

        Raises:
            InputError: a probability is NaN.
        """
        prediction = self.predictor(batch.inputs)
        self._check_numbers(batch, prediction)
        if self.originals and not self.predict_originals:
            size = batch.labels.shape[1:]
            prediction = _resized(prediction, content(batch.inputs.shape[1:3], size, self.made), size)
        labels, confidence = self._labels(batch.images, prediction.probabilities)
        true_class = _true_class(prediction.probabilities, batch.labels)
        return PredictedLabels(labels, confidence, true_class, prediction.uncertainty, prediction.mutual_information)

    def _labels(self, images: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return labels uint8 [B, H, W] and their probabilities."""
        if not self.refine:
            return most_probable(probabilities)
        pairs = zip(images, probabilities, strict=True)
        refined = [self.refine(image, image_probabilities) for image, image_probabilities in pairs]
        labels = np.stack(refined).astype(np.uint8)
        return labels, confidence_of(labels, probabilities)

    def _check_numbers(self, batch: Batch, prediction: Prediction) -> None:
        """Refuse NaN, which the entropy of the probabilities and the variance of samples pass on."""
        dead = np.isnan(prediction.uncertainty).any(axis=(1, 2))
        if dead.any():
            raise nan_error(self.reader.names[batch.indices[int(dead.argmax())]])


def _true_class(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probabilities of the labels, float32 [B, H, W]; 0 where they are void."""
    valid = labels != VOID
    picked = np.take_along_axis(probabilities, np.where(valid, labels, 0)[..., None].astype(np.intp), axis=-1)[..., 0]
    return np.where(valid, picked, np.float32(0))


def _resized(prediction: Prediction, part: Part, size: tuple[int, int]) -> Prediction:
    def of(maps: np.ndarray) -> np.ndarray:
        return np.stack([resized(one[part], size) for one in maps])

    information = prediction.mutual_information
    return Prediction(
        of(prediction.probabilities),
        of(prediction.uncertainty[..., None])[..., 0],
        None if information is None else of(information[..., None])[..., 0],
    )
