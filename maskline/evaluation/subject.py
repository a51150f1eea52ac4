"""What is evaluated: a split's images and labels, and how a model predicts and refines them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maskline.evaluation.predict.inference import Prediction
from maskline.shards.read.batches import ordered_batches
from maskline.shards.read.originals import Originals
from maskline.shards.read.reader import ShardReader

Refine = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Batch(NamedTuple):
    """Images to score.

    Attributes:
        indices: their places in the split.
        inputs: uint8 [B, h, w, 3], what the network sees.
        images: uint8 [B, H, W, 3], the same at the size they are scored at.
        labels: uint8 [B, H, W], void 255.
    """

    indices: range
    inputs: np.ndarray
    images: np.ndarray
    labels: np.ndarray


class Scored(NamedTuple):
    """What is predicted of a batch, at the size it is scored at.

    Attributes:
        labels: uint8 [B, H, W].
        confidence: float32 [B, H, W], the probability of those labels.
        uncertainty: float32 [B, H, W], 0 to 1.
        mutual_information: the same, or None where nothing is sampled.
    """

    labels: np.ndarray
    confidence: np.ndarray
    uncertainty: np.ndarray
    mutual_information: np.ndarray | None


class Subject(NamedTuple):
    """A split and how to predict it.

    Attributes:
        reader: the split's shards.
        originals: the same examples before they were resized, to score at their own size, or None.
        whole: give the network the originals themselves, not resized.
        predict: function of images uint8 [B, h, w, 3].
        refine: function of an image uint8 [H, W, 3] and probabilities float32 [H, W, C] that returns labels
            uint8 [H, W], or None.
    """

    reader: ShardReader
    originals: Originals | None
    whole: bool
    predict: Callable[[np.ndarray], Prediction]
    refine: Refine | None

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the split in order; originals come one by one, for each has a size of its own."""
        if self.originals:
            yield from (self.one(index) for index in range(len(self.reader)))
            return
        start = 0
        for images, labels in ordered_batches(self.reader, batch_size).as_numpy_iterator():
            yield Batch(range(start, start + len(images)), images, images, labels)
            start += len(images)

    def one(self, index: int) -> Batch:
        """Return one example as a batch."""
        inputs, labels = self.reader.read([index])
        if not self.originals:
            return Batch(range(index, index + 1), inputs, inputs, labels)
        image, labels = self.originals.read(index)
        return Batch(range(index, index + 1), image[None] if self.whole else inputs, image[None], labels[None])

    def scored(self, batch: Batch) -> Scored:
        """Predict, bring the prediction to the size that is scored, and refine it."""
        prediction = self.predict(batch.inputs)
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
        return Scored(
            tf.cast(labels, tf.uint8).numpy(),
            confidence.numpy(),
            uncertainty.numpy(),
            None if information is None else information.numpy(),
        )


def _most_probable(probabilities: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the most probable class, int32 [B, H, W], and its probability, of probabilities [B, H, W, C]."""
    return tf.argmax(probabilities, axis=-1, output_type=tf.int32), tf.reduce_max(probabilities, axis=-1)


# XLA takes a seventh of the time, and half a second for each new size, of which originals may have many.
_most_probable_fast = tf.function(_most_probable, jit_compile=True)


def _resized(prediction: Prediction, size: tuple[int, int]) -> Prediction:
    probabilities, *maps = prediction
    scaled = [None if part is None else tf.image.resize(part[..., None], size)[..., 0] for part in maps]
    return Prediction(tf.image.resize(probabilities, size), *scaled)
