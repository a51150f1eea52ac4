"""Losses of the overlap of prediction and ground truth per class over the batch, averaged over the classes in it."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from maskline.engine.replicas import all_sums, gather
from maskline.training.void import without_void

_TINY = float(np.finfo(np.float32).tiny)  # keeps the gradient of a power finite at 0


class _Sums(NamedTuple):
    """Sums [C] over the batch's valid pixels: of P T, of the probabilities P, and of the one-hot ground truth T."""

    both: tf.Tensor
    predicted: tf.Tensor
    true: tf.Tensor


def dice(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return 1 - 2 |P T| / (|P| + |T|) of the soft prediction P, averaged over the classes in the batch, as a scalar.

    Milletari et al., 3DV 2016, with plain sums in the denominator.
    """
    both, predicted, true = sums = _sums(labels, logits)
    return _mean(1.0 - tf.math.divide_no_nan(2.0 * both, predicted + true), sums)


def iou(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return 1 - |P T| / (|P| + |T| - |P T|), averaged over the classes in the batch, as a scalar.

    Rahman and Wang, ISVC 2016: the soft Jaccard loss.
    """
    both, predicted, true = sums = _sums(labels, logits)
    return _mean(1.0 - tf.math.divide_no_nan(both, predicted + true - both), sums)


def tversky(labels: tf.Tensor, logits: tf.Tensor, alpha: float = 0.3, beta: float = 0.7) -> tf.Tensor:
    """Return 1 - TP / (TP + alpha FP + beta FN) of soft counts, averaged over the classes in the batch, as a scalar.

    Salehi et al., MLMI 2017: alpha weighs false positives, beta false negatives.
    """
    sums = _sums(labels, logits)
    return _mean(1.0 - _tversky_index(sums, alpha, beta), sums)


def focal_tversky(
    labels: tf.Tensor, logits: tf.Tensor, alpha: float = 0.3, beta: float = 0.7, gamma: float = 4 / 3
) -> tf.Tensor:
    """Return (1 - TI)^(1 / gamma) of the Tversky index TI, averaged over the classes in the batch, as a scalar.

    Abraham and Khan, ISBI 2019. At TI = 1 the gradient, which the formula makes infinite, is 0.
    """
    sums = _sums(labels, logits)
    missing = tf.maximum(1.0 - _tversky_index(sums, alpha, beta), _TINY)
    return _mean(missing ** (1.0 / gamma), sums)


def lovasz(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the Lovász extension of the Jaccard loss, averaged over the classes in the batch, as a scalar.

    Lovász-softmax, Berman et al., CVPR 2018: the sum over pixels of the error |T - P| times the increase of the Jaccard
    loss when the pixel joins those with larger errors. Void pixels have error 0, so they come last and add nothing.
    """
    probabilities, truth = _masked(gather(labels), gather(logits))
    present = tf.where(tf.reduce_any(truth > 0, axis=[0, 1, 2]))[:, 0]
    errors, truth = (
        tf.gather(tf.transpose(tf.reshape(tensor, [-1, logits.shape[-1]])), present)
        for tensor in (tf.abs(truth - probabilities), truth)
    )
    growth = _jaccard_growth(tf.stop_gradient(errors), truth)
    classes = tf.cast(tf.size(present), tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(errors * growth), classes)


def _jaccard_growth(errors: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """Return the increase of the Jaccard loss by each pixel, in order of decreasing errors; all [classes, pixels]."""
    pixels = tf.shape(errors)[1]
    _, order = tf.math.top_k(errors, pixels)
    places = order + pixels * tf.range(tf.shape(errors)[0])[:, None]
    truth = tf.gather(tf.reshape(truth, [-1]), places)
    kept = tf.cumsum(truth, axis=1, exclusive=True, reverse=True)  # pixels of the class that are not wrong yet
    union = kept + tf.range(1.0, tf.cast(pixels, tf.float32) + 1.0)
    growth = tf.where(truth > 0, 1.0, kept / tf.maximum(union - 1.0, 1.0)) / union
    return tf.reshape(tf.dynamic_stitch([places], [growth]), tf.shape(errors))


def _masked(labels: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return probabilities and one-hot ground truth, both [B, H, W, C], which are 0 at void pixels."""
    valid, safe = without_void(labels)
    probabilities = tf.nn.softmax(tf.cast(logits, tf.float32)) * valid[..., None]
    return probabilities, tf.one_hot(safe, logits.shape[-1]) * valid[..., None]


def _sums(labels: tf.Tensor, logits: tf.Tensor) -> _Sums:
    probabilities, truth = _masked(labels, logits)
    terms = (probabilities * truth, probabilities, truth)
    return _Sums(*all_sums([tf.reduce_sum(term, axis=[0, 1, 2]) for term in terms]))


def _tversky_index(sums: _Sums, alpha: float, beta: float) -> tf.Tensor:
    both, predicted, true = sums
    return tf.math.divide_no_nan(both, both + alpha * (predicted - both) + beta * (true - both))


def _mean(losses: tf.Tensor, sums: _Sums) -> tf.Tensor:
    """Return the mean over the classes that are in the batch."""
    present = tf.cast(sums.true > 0, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(losses * present), tf.reduce_sum(present))
