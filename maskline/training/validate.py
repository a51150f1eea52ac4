"""Loss of a model on a split, and metrics from one confusion matrix over all its images."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maskline.contracts.fit import Size
from maskline.engine import replicas
from maskline.metrics.confusion import confusion_matrices
from maskline.metrics.scores import iou, mean_over_classes, pixel_accuracy
from maskline.models.interface import Loss
from maskline.models.segmentation import SegmentationModel
from maskline.shards.read.batches import ordered_batches
from maskline.shards.read.reader import ShardReader
from maskline.training.interrupts import stop_if_requested

_SHOWN = 4  # images of the split whose predictions are kept


class Example(NamedTuple):
    """An image uint8 [H, W, 3], its labels and its predicted labels, both uint8 [H, W]."""

    image: np.ndarray
    labels: np.ndarray
    prediction: np.ndarray


class Scores(NamedTuple):
    """What one pass over a split finds.

    Attributes:
        loss: mean over images.
        pixel_accuracy: over all pixels.
        mean_iou: over classes.
        iou: of each class, NaN if no pixel has it or is predicted as it.
        examples: the same few images of this worker's in every pass.
    """

    loss: float
    pixel_accuracy: float
    mean_iou: float
    iou: Sequence[float] = ()
    examples: Sequence[Example] = ()


def validation_batch(batch_size: int, seen: Size, whole: Size) -> int:
    """Return how many whole images have no more pixels than the parts of `batch_size` images that a step sees.

    Args:
        seen: height and width of what a step sees of each image; pixels.
        whole: height and width of a whole image; pixels.
    """
    return max(1, batch_size * seen[0] * seen[1] // (whole[0] * whole[1]))


class Validator:
    """A function that scores a model on a split; each call scores the model's current weights.

    Several workers share out the batches, and each gets the scores that one worker would.

    Args:
        model: the model to score.
        loss: the training loss.
        reader: the split.
        batch_size: images predicted at once.
    """

    def __init__(self, model: SegmentationModel, loss: Loss, reader: ShardReader, batch_size: int) -> None:
        self._rank, self._workers = replicas.rank(), replicas.count()
        self._batches = ordered_batches(reader, batch_size, self._rank, self._workers)
        self._examples, self._batch_size = len(reader), batch_size
        self._classes = len(model.class_names)
        own = sum(
            min(batch_size, len(reader) - i) for i in range(0, len(reader), batch_size)[self._rank :: self._workers]
        )
        self._shown = {i * own // _SHOWN for i in range(_SHOWN)}  # places among this worker's images

        @tf.function(reduce_retracing=True)
        def score(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits = model(images, training=False)
            return loss(labels, logits), tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.uint8)

        self._score = score

    def __call__(self) -> Scores:
        """Score the model with its current weights."""
        losses = np.zeros(-(-self._examples // self._batch_size))
        matrix = np.zeros((self._classes, self._classes), np.int64)
        examples: list[Example] = []
        with replicas.alone():
            for number, (images, labels) in enumerate(self._batches):
                loss, predictions = self._score(images, labels)
                losses[self._rank + number * self._workers] = float(loss) * len(labels)
                # Counted on the host: TensorFlow's bincount has no deterministic kernel on a GPU.
                matrix += confusion_matrices(labels.numpy(), predictions.numpy(), self._classes).sum(axis=0)
                examples += self._shown_of(number, images, labels, predictions)
                stop_if_requested()
        if self._workers > 1:
            losses, matrix = (replicas.all_sum(tf.constant(part)).numpy() for part in (losses, matrix))
        total = reduce(add, losses.tolist(), 0.0)  # sum() rounds in another way from Python 3.12 on
        by_class = iou(matrix)
        return Scores(
            total / self._examples,
            float(pixel_accuracy(matrix)),
            float(mean_over_classes(by_class)),
            by_class.tolist(),
            examples,
        )

    def _shown_of(self, number: int, *batch: tf.Tensor) -> list[Example]:
        """Return the examples to show of this worker's batch `number`: its images, labels and predictions."""
        first = number * self._batch_size
        places = [i - first for i in sorted(self._shown) if first <= i < first + len(batch[0])]
        return [Example(*(np.array(part[place]) for part in batch)) for place in places]
