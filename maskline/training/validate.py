"""Loss of a model on a split, and metrics from one confusion matrix over all its images."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maskline.metrics.confusion import confusion_matrices
from maskline.metrics.scores import iou, mean_over_classes, pixel_accuracy
from maskline.models.interface import Loss
from maskline.models.segmentation import SegmentationModel
from maskline.shards.read.batches import ordered_batches
from maskline.shards.read.reader import ShardReader
from maskline.training.interrupts import stop_if_requested


class Scores(NamedTuple):
    """A split's mean loss per image, and its pixel accuracy and mean IoU."""

    loss: float
    pixel_accuracy: float
    mean_iou: float


class Validator:
    """A function that scores a model on a split; each call scores the model's current weights.

    Args:
        model: the model to score.
        loss: the training loss.
        reader: the split.
        batch_size: images predicted at once.
    """

    def __init__(self, model: SegmentationModel, loss: Loss, reader: ShardReader, batch_size: int) -> None:
        self._batches = ordered_batches(reader, batch_size)
        self._examples = len(reader)
        self._classes = len(model.class_names)

        @tf.function(reduce_retracing=True)
        def score(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits = model(images, training=False)
            return loss(labels, logits), tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.uint8)

        self._score = score

    def __call__(self) -> Scores:
        """Score the model with its current weights."""
        total, matrix = 0.0, np.zeros((self._classes, self._classes), np.int64)
        for images, labels in self._batches:
            loss, predictions = self._score(images, labels)
            total += float(loss) * len(labels)
            # Counted on the host: TensorFlow's bincount has no deterministic kernel on a GPU.
            matrix = matrix + confusion_matrices(labels.numpy(), predictions.numpy(), self._classes).sum(axis=0)
            stop_if_requested()
        return Scores(total / self._examples, float(pixel_accuracy(matrix)), float(mean_over_classes(iou(matrix))))
