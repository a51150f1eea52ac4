"""Losses that are weighted means over pixels of a function of p, the probability of the pixel's true class."""

import math

import numpy as np
import tensorflow as tf

from maskline.contracts.classes import VOID
from maskline.engine.replicas import all_sum, all_sums, gather
from maskline.training.class_weights import ClassWeights, per_image_weights
from maskline.training.void import without_void

_TINY = float(np.finfo(np.float32).tiny)  # keeps the gradient of a power finite at 0


def cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, class_weights: ClassWeights = None, label_smoothing: float = 0.0
) -> tf.Tensor:
    """Return the mean of -log p over valid pixels, weighted by the pixel's class, as a scalar.

    With label smoothing e (Szegedy et al., CVPR 2016) the target is 1 - e for the pixel's class plus e / C for each
    class.
    """
    valid, safe = without_void(labels)
    each = _minus_log_p(safe, logits)
    if label_smoothing:
        uniform = -tf.reduce_mean(tf.nn.log_softmax(tf.cast(logits, tf.float32)), axis=-1)
        each = (1.0 - label_smoothing) * each + label_smoothing * uniform
    return _mean(each, _weights(valid, safe, class_weights, logits))


def focal(labels: tf.Tensor, logits: tf.Tensor, class_weights: ClassWeights = None, gamma: float = 2.0) -> tf.Tensor:
    """Return the mean of (1 - p)^gamma * -log p over valid pixels, weighted by the pixel's class, as a scalar.

    Lin et al., ICCV 2017; the class weights are the paper's alpha, and the mean divides by their sum.
    """
    valid, safe = without_void(labels)
    each = _minus_log_p(safe, logits)
    missing = tf.maximum(-tf.math.expm1(-each), _TINY)
    return _mean(missing**gamma * each, _weights(valid, safe, class_weights, logits))


def ohem(
    labels: tf.Tensor,
    logits: tf.Tensor,
    class_weights: ClassWeights = None,
    threshold: float = 0.7,
    share: float = 0.0625,
) -> tf.Tensor:
    """Return the mean of -log p over the batch's hard pixels, weighted by the pixel's class, as a scalar.

    Online hard example mining (Shrivastava et al., CVPR 2016) of pixels: those with p below the threshold, and at least
    the hardest `share` of the valid pixels, rounded up, with all pixels that are as hard as the last of them.
    """
    valid, safe = without_void(labels)
    each = _minus_log_p(safe, logits)
    count = tf.maximum(tf.cast(tf.math.ceil(share * all_sum(tf.reduce_sum(valid))), tf.int32), 1)
    hardest, _ = tf.math.top_k(gather(tf.reshape(tf.where(valid > 0, each, -1.0), [-1])), count)
    kept = (tf.exp(-each) < threshold) | (each >= hardest[-1])
    return _mean(each, _weights(valid, safe, class_weights, logits) * tf.cast(kept, tf.float32))


def boundary(
    labels: tf.Tensor,
    logits: tf.Tensor,
    class_weights: ClassWeights = None,
    weight: float = 10.0,
    sigma: float = 5.0,
) -> tf.Tensor:
    """Return the mean of -log p over valid pixels, weighted by nearness to a boundary and by class, as a scalar.

    After the border weights of U-Net (Ronneberger et al., MICCAI 2015): a pixel d pixels from the nearest boundary
    weighs 1 + weight * exp(-d^2 / (2 sigma^2)), and 1 beyond 3 sigma, rounded up.
    """
    valid, safe = without_void(labels)
    near = tf.exp(-boundary_distance(labels, math.ceil(3 * sigma)) / (2 * sigma**2))
    return _mean(_minus_log_p(safe, logits), _weights(valid, safe, class_weights, logits) * (1.0 + weight * near))


def boundary_distance(labels: tf.Tensor, radius: int) -> tf.Tensor:
    """Return each pixel's squared distance in pixels to the nearest boundary pixel; infinite beyond the radius.

    A boundary pixel has a pixel of another class above, below, left or right of it; void and the image's edge do not
    count. The distance is exact: the minimum along each column, then along each row.
    """
    offsets = np.arange(-radius, radius + 1, dtype=np.float32)
    nearest = tf.where(_is_boundary(labels), 0.0, -np.inf)[..., None]
    for shape in ((-1, 1, 1), (1, -1, 1)):
        kernel = -np.square(offsets).reshape(shape)
        nearest = tf.nn.dilation2d(nearest, kernel, (1, 1, 1, 1), "SAME", "NHWC", (1, 1, 1, 1))
    squared = -nearest[..., 0]
    return tf.where(squared <= radius**2, squared, np.inf)


def _is_boundary(labels: tf.Tensor) -> tf.Tensor:
    labels = tf.cast(labels, tf.int32)
    below = _differ(labels[:, :-1], labels[:, 1:])
    right = _differ(labels[:, :, :-1], labels[:, :, 1:])
    rows = tf.pad(below, [[0, 0], [0, 1], [0, 0]]) | tf.pad(below, [[0, 0], [1, 0], [0, 0]])
    return rows | tf.pad(right, [[0, 0], [0, 0], [0, 1]]) | tf.pad(right, [[0, 0], [0, 0], [1, 0]])


def _differ(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return (one != other) & (one != VOID) & (other != VOID)


def _minus_log_p(safe: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=safe, logits=tf.cast(logits, tf.float32))


def _weights(valid: tf.Tensor, safe: tf.Tensor, class_weights: ClassWeights, logits: tf.Tensor) -> tf.Tensor:
    if class_weights is None:
        return valid
    if isinstance(class_weights, str):
        return per_image_weights(valid, safe, logits.shape[-1])
    return valid * tf.gather(tf.constant(class_weights, tf.float32), safe)


def _mean(each: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(*all_sums([tf.reduce_sum(each * weights), tf.reduce_sum(weights)]))
