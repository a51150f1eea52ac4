"""Prediction with any model, averaged over flips, scales, windows and samples of dropout if asked for."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from maskline.errors import InputError
from maskline.evaluation.predict.windows import Predict, in_windows
from maskline.models.segmentation import SegmentationModel


class Inference(NamedTuple):
    """The options of prediction; the defaults give one pass.

    Attributes:
        flip: whether to average with the prediction of the mirrored image.
        scales: factors of the image's size; the predictions are averaged at the original size.
        window: side in pixels of the windows in which images are predicted, at each scale; None: whole images.
        dropout_samples: number of predictions with dropout to average; 0: the architecture's own number.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    window: int | None = None
    dropout_samples: int = 0


class Prediction(NamedTuple):
    """The prediction of a batch of images.

    Attributes:
        probabilities: float32 [B, H, W, C].
        uncertainty: float32 [B, H, W], as a share of its highest value: the entropy of the probabilities, or, for an
            architecture with its own samples, their variance averaged over the classes (Kendall et al., BMVC 2017).
        mutual_information: float32 [B, H, W], as a share of the highest entropy: the part of the entropy that is due to
            disagreement of the samples (Smith and Gal, UAI 2018); None if dropout is not sampled.
    """

    probabilities: tf.Tensor
    uncertainty: tf.Tensor
    mutual_information: tf.Tensor | None


def predictor(model: SegmentationModel, inference: Inference) -> Callable[[tf.Tensor], Prediction]:
    """Return a function of images [B, H, W, 3] in 0..255, of any size, that can be used in a tf.function.

    Each sample of dropout is a complete prediction from all scales, windows and flips.

    Raises:
        InputError: the model has no dropout to sample, or the windows are smaller than its output stride.
    """
    _check(model, inference)
    samples = inference.dropout_samples or model.architecture.samples
    if samples:
        return lambda images: _sampled(model, inference, samples, images)
    once = _averaged(model.probabilities, model, inference)

    def predicted(images: tf.Tensor) -> Prediction:
        probabilities = once(images)
        return Prediction(probabilities, _entropy(probabilities), None)

    return predicted


def compiled_predictor(model: SegmentationModel, inference: Inference) -> Callable[[tf.Tensor], Prediction]:
    """Return the function of `predictor`, traced once for images of any size."""
    return tf.function(predictor(model, inference), reduce_retracing=True)


def _check(model: SegmentationModel, inference: Inference) -> None:
    if inference.window is not None and inference.window < model.stride:
        raise InputError(f"window must be {model.stride} or more for this network. Received: {inference.window}")
    if inference.dropout_samples and not model.dropouts:
        raise InputError(
            f"this {model.network.name} has no dropout to sample; set dropout_samples to 0, or train a network "
            "that has dropout, with model.dropout above 0. "
            f"Received: dropout_samples {inference.dropout_samples}"
        )


def _sampled(model: SegmentationModel, inference: Inference, samples: int, images: tf.Tensor) -> Prediction:
    """Predict from the mean of the samples, with one sample at a time in memory."""

    def add(number: tf.Tensor, mean: tf.Tensor, squares: tf.Tensor, entropy: tf.Tensor) -> tuple[tf.Tensor, ...]:
        sample = _averaged(lambda part: model.sampled(part, number), model, inference)(images)
        return (
            number + 1,
            mean + sample / samples,
            squares + tf.reduce_sum(sample**2, axis=-1) / samples,
            entropy + _entropy(sample) / samples,
        )

    size, classes = tf.shape(images)[:3], len(model.class_names)
    zeros = tf.zeros(size)
    start = (tf.constant(1), tf.zeros([*tf.unstack(size), classes]), zeros, zeros)
    sums = tf.while_loop(lambda number, *_: number <= samples, add, start, parallel_iterations=1)
    _, mean, squares, expected_entropy = sums
    entropy = _entropy(mean)
    variance = (squares - tf.reduce_sum(mean**2, axis=-1)) / (1 - 1 / classes)
    uncertainty = tf.maximum(variance, 0.0) if model.architecture.samples else entropy
    return Prediction(mean, uncertainty, tf.maximum(entropy - expected_entropy, 0.0))


def _entropy(probabilities: tf.Tensor) -> tf.Tensor:
    """Return the entropy over the last axis as a share of its highest value."""
    classes = probabilities.shape[-1]
    return -tf.reduce_sum(tf.math.xlogy(probabilities, probabilities), axis=-1) / math.log(classes)


def _averaged(predict: Predict, model: SegmentationModel, inference: Inference) -> Predict:
    """Return `predict` averaged over flips of scales of windows."""
    smallest = model.stride // 2
    predict = _of_any_size(predict, smallest)
    if inference.window is not None:
        predict = in_windows(predict, len(model.class_names), inference.window)
    predict = _over_scales(predict, inference.scales, smallest)
    return _over_flips(predict) if inference.flip else predict


def _of_any_size(predict: Predict, smallest: int) -> Predict:
    """Mirror images until no side is shorter than `smallest`, which a network still can pad."""

    def mirrored(images: tf.Tensor) -> tf.Tensor:
        for axis in (1, 2):
            length = tf.shape(images)[axis]
            at = tf.range(tf.maximum(length, smallest)) % (2 * length)
            images = tf.gather(images, tf.minimum(at, 2 * length - 1 - at), axis=axis)
        return images

    def predicted(images: tf.Tensor) -> tf.Tensor:
        if all(length is not None and length >= smallest for length in images.shape[1:3]):
            return predict(images)
        height, width = tf.unstack(tf.shape(images)[1:3])
        is_small = tf.minimum(height, width) < smallest
        return predict(tf.cond(is_small, lambda: mirrored(images), lambda: images))[:, :height, :width]

    return predicted


def _over_flips(predict: Predict) -> Predict:
    return lambda images: (predict(images) + tf.reverse(predict(tf.reverse(images, [2])), [2])) / 2


def _over_scales(predict: Predict, scales: Sequence[float], smallest: int) -> Predict:
    """Average over scaled images; no side becomes shorter than `smallest`, the least that the network can pad."""

    def at(scale: float, images: tf.Tensor) -> tf.Tensor:
        if scale == 1.0:
            return predict(images)
        size = tf.shape(images)[1:3]
        scaled = tf.cast(tf.round(scale * tf.cast(size, tf.float32)), tf.int32)
        prediction = predict(tf.image.resize(images, tf.maximum(scaled, smallest), antialias=True))
        return tf.image.resize(prediction, size, antialias=True)

    return lambda images: tf.add_n([at(scale, images) for scale in scales]) / len(scales)
