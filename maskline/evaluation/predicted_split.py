"""A split and its predictor: batches of images and labels, and what is predicted of each batch."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maskline.errors import InputError
from maskline.evaluation.predict.inference import Prediction
from maskline.shards.read.batches import ordered_batches
from maskline.shards.read.originals import Originals
from maskline.shards.read.reader import ShardReader

Refine = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Batch(NamedTuple):
    """Images to predict and score.

    Attributes:
        indices: their places in the split.
        inputs: uint8 [B, h, w, 3], the images that the network gets.
        images: uint8 [B, H, W, 3], the same images at the size at which they are scored.
        labels: uint8 [B, H, W], void 255.
    """

    indices: range
    inputs: np.ndarray
    images: np.ndarray
    labels: np.ndarray


class PredictedLabels(NamedTuple):
    """The prediction of a batch, at the size at which it is scored.

    Attributes:
        labels: uint8 [B, H, W].
        confidence: float32 [B, H, W], the probabilities of the labels.
        uncertainty: float32 [B, H, W], 0 to 1.
        mutual_information: float32 [B, H, W], 0 to 1; None where nothing is sampled.
    """

    labels: np.ndarray
    confidence: np.ndarray
    uncertainty: np.ndarray
    mutual_information: np.ndarray | None


class PredictedSplit(NamedTuple):
    """A split and its predictor.

    Attributes:
        reader: the split's shards.
        originals: the same examples before they were resized, to score each at its own size; None: score at the
            shards' size.
        predict_originals: whether the network gets the originals, instead of the resized images.
        predictor: function of images uint8 [B, h, w, 3].
        refine: function of an image uint8 [H, W, 3] and probabilities float32 [H, W, C] that returns labels
            uint8 [H, W]; None: the most probable labels.
    """

    reader: ShardReader
    originals: Originals | None
    predict_originals: bool
    predictor: Callable[[np.ndarray], Prediction]
    refine: Refine | None

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the split in order; originals come one by one, as each has its own size."""
        if self.originals:
            yield from (self.example(index) for index in range(len(self.reader)))
            return
        start = 0
        for images, labels in ordered_batches(self.reader, batch_size).as_numpy_iterator():
            yield Batch(range(start, start + len(images)), images, images, labels)
            start += len(images)

    def example(self, index: int) -> Batch:
        """Return one example as a batch."""
        inputs, labels = self.reader.read([index])
        if not self.originals:
            return Batch(range(index, index + 1), inputs, inputs, labels)
        image, labels = self.originals.read(index)
        inputs = image[None] if self.predict_originals else inputs
        return Batch(range(index, index + 1), inputs, image[None], labels[None])

    def predict(self, batch: Batch) -> PredictedLabels:
        """Predict a batch, resize the prediction to the size at which it is scored, and refine it.

        Raises:
            InputError: a probability is NaN.
        """
        prediction = self.predictor(batch.inputs)
        self._check_numbers(batch, prediction)
        size = batch.labels.shape[1:]
        if size != batch.inputs.shape[1:3]:
            prediction = _resized(prediction, size)
        probabilities, uncertainty, information = prediction
        if self.refine:
            pairs = zip(batch.images, probabilities.numpy(), strict=True)
            labels = tf.stack([self.refine(image, each) for image, each in pairs])
            confidence = tf.gather(probabilities, tf.cast(labels, tf.int32), batch_dims=3)
        else:
            labels, confidence = (_most_probable if self.originals else _most_probable_fast)(probabilities)
        return PredictedLabels(
            tf.cast(labels, tf.uint8).numpy(),
            confidence.numpy(),
            uncertainty.numpy(),
            None if information is None else information.numpy(),
        )

    def _check_numbers(self, batch: Batch, prediction: Prediction) -> None:
        """Refuse NaN, which the entropy of the probabilities and the variance of samples pass on."""
        dead = np.isnan(prediction.uncertainty.numpy()).any(axis=(1, 2))
        if dead.any():
            name = self.reader.names[batch.indices[int(dead.argmax())]]
            raise InputError(
                f"the model's probabilities for {name} are NaN; train it again with a lower train.learning_rate, or "
                "with train.precision float32."
            )


def _most_probable(probabilities: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the most probable class, int32 [B, H, W], and its probability, of probabilities [B, H, W, C]."""
    return tf.argmax(probabilities, axis=-1, output_type=tf.int32), tf.reduce_max(probabilities, axis=-1)


# XLA takes a seventh of the time, but half a second for each new size, and originals may have many sizes.
_most_probable_fast = tf.function(_most_probable, jit_compile=True)


def _resized(prediction: Prediction, size: tuple[int, int]) -> Prediction:
    probabilities, *maps = prediction
    scaled = [None if part is None else tf.image.resize(part[..., None], size)[..., 0] for part in maps]
    return Prediction(tf.image.resize(probabilities, size), *scaled)
