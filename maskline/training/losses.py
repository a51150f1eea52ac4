"""Losses on logits float32 [B, H, W, C] and integer labels [B, H, W]; void pixels never count, and all-void is 0."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from maskline.classes import VOID

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def weighted_sum(weights: Mapping[str, float], class_weights: np.ndarray | None) -> Loss:
    """Return the sum of the named losses times their weights.

    Args:
        weights: a weight for each key of `LOSSES`; 0 leaves a loss out.
        class_weights: float [C] for cross-entropy, or None for equal weights.
    """
    terms = [(weight, LOSSES[name]) for name, weight in weights.items() if weight]

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.add_n([weight * term(labels, logits, class_weights) for weight, term in terms])

    return loss


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, class_weights: np.ndarray | None = None) -> tf.Tensor:
    """Return the mean of -log p(label) over valid pixels, weighted by the pixel's class, as a scalar."""
    valid, safe = _valid(labels)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=safe, logits=logits)
    weights = valid if class_weights is None else valid * tf.gather(tf.constant(class_weights, tf.float32), safe)
    return tf.math.divide_no_nan(tf.reduce_sum(each * weights), tf.reduce_sum(weights))


def dice(labels: tf.Tensor, logits: tf.Tensor, class_weights: np.ndarray | None = None) -> tf.Tensor:
    """Return 1 - 2 |P T| / (|P| + |T|) of the soft prediction P, averaged over the classes in the batch, as a scalar.

    Milletari et al., 3DV 2016, with plain sums in the denominator; each class counts the same, so `class_weights` have
    no say.
    """
    valid, safe = _valid(labels)
    probabilities = tf.nn.softmax(logits) * valid[..., None]
    truth = tf.one_hot(safe, logits.shape[-1]) * valid[..., None]
    both, predicted, true = (
        tf.reduce_sum(tensor, axis=[0, 1, 2]) for tensor in (probabilities * truth, probabilities, truth)
    )
    present = tf.cast(true > 0, tf.float32)
    losses = 1.0 - tf.math.divide_no_nan(2.0 * both, predicted + true)
    return tf.math.divide_no_nan(tf.reduce_sum(losses * present), tf.reduce_sum(present))


LOSSES: dict[str, Callable[..., tf.Tensor]] = {"cross_entropy": cross_entropy, "dice": dice}


def _valid(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return 1.0 where a pixel counts, and labels int32 that are in range everywhere."""
    labels = tf.cast(labels, tf.int32)
    valid = labels != VOID
    return tf.cast(valid, tf.float32), tf.where(valid, labels, 0)


def class_weights(kind: str, pixels: np.ndarray, images: np.ndarray, image_size: int) -> np.ndarray | None:
    """Return float32 [C] weights with mean 1 over the train split's pixels, or None for 'none'.

    Args:
        kind: 'none'; 'inverse' of the class's share of pixels; or 'median_frequency', the median over classes of the
            share of pixels in images that show the class, over the class's own (Eigen and Fergus, ICCV 2015).
        pixels: int [C], of each class in train.
        images: int [C], train images that show each class.
        image_size: pixels in an image.
    """
    if kind == "none":
        return None
    if kind == "inverse":
        weights = 1.0 / pixels
    else:
        frequency = pixels / (images * image_size)
        weights = np.median(frequency) / frequency
    return (weights * pixels.sum() / (weights * pixels).sum()).astype(np.float32)
