"""Prediction with any runtime, averaged over flips, scales, windows and samples of dropout if asked for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from maskline.errors import InputError
from maskline.prediction.resizing import antialiased, resized_image
from maskline.prediction.runtime import Runtime, Sampling
from maskline.prediction.windows import Predict, Window, in_windows

_ROWS = 32  # of an image, whose probabilities stay in the processor's cache


class Inference(NamedTuple):
    """The options of prediction; the defaults give one pass.

    Attributes:
        flip: whether to average with the prediction of the mirrored image.
        scales: factors of the image's size; the predictions are averaged at the original size.
        window: the windows in which images are predicted, at each scale; None: whole images.
        dropout_samples: number of predictions with dropout to average; 0: the architecture's own number.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    window: Window | None = None
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

    probabilities: np.ndarray
    uncertainty: np.ndarray
    mutual_information: np.ndarray | None


def predictor(runtime: Runtime, inference: Inference) -> Callable[[np.ndarray], Prediction]:
    """Return a function of images uint8 [B, H, W, 3], RGB, of any size.

    Each sample of dropout is a complete prediction from all scales, windows and flips.

    Raises:
        InputError: the model cannot do what the options ask for.
    """
    check(runtime, inference)
    sampling = runtime.sampling
    if sampling and (samples := inference.dropout_samples or sampling.own_samples):
        return lambda images: _sampled(runtime, sampling, inference, samples, images)
    once = averaged(runtime.probabilities, runtime, inference)

    def predicted(images: np.ndarray) -> Prediction:
        probabilities = once(images)
        return Prediction(probabilities, _entropy(probabilities), None)

    return predicted


def probabilities_predictor(runtime: Runtime, inference: Inference) -> Predict:
    """Return the function of `predictor`, without what the uncertainty takes.

    Raises:
        InputError: the model cannot do what the options ask for.
    """
    check(runtime, inference)
    if inference.dropout_samples:
        predict = predictor(runtime, inference)
        return lambda images: predict(images).probabilities
    return averaged(runtime.probabilities, runtime, inference)


def check(runtime: Runtime, inference: Inference) -> None:
    """Refuse options that the model cannot do.

    Raises:
        InputError: the model has no dropout to sample, or the windows are smaller than its output stride, or windows or
            scales are not of the only size that it takes.
    """
    window = inference.window if isinstance(inference.window, int) else None  # windows of the training size always fit
    if window is not None and window < runtime.stride:
        raise InputError(f"window must be {runtime.stride} or more for this network. Received: {window}")
    if window is not None and runtime.fixed_size not in (None, (window, window)):
        height, width = runtime.fixed_size
        raise InputError(
            f"this file takes images of {height}x{width} alone, so that windows have that size or there are none; use "
            f"the .keras file for other windows. Received: window {window}"
        )
    if runtime.fixed_size and inference.scales != (1.0,):
        height, width = runtime.fixed_size
        raise InputError(
            f"this file takes images of {height}x{width} alone, so that they cannot be scaled; use the .keras file for "
            f"other scales. Received: scales {', '.join(f'{scale:g}' for scale in inference.scales)}"
        )
    if not inference.dropout_samples:
        return
    if not runtime.sampling:
        raise InputError(
            "dropout can only be sampled in a .keras file, because an exported file has none; predict with the .keras "
            f"file, or leave dropout samples out. Received: {inference.dropout_samples} dropout samples"
        )
    if not runtime.sampling.drops:
        raise InputError(
            f"this {runtime.sampling.name} has no dropout to sample; set dropout_samples to 0, or train a network "
            "that has dropout, with model.dropout above 0. "
            f"Received: dropout_samples {inference.dropout_samples}"
        )


def most_probable(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the most probable class, uint8 [..., W], and its probability, from probabilities [..., W, C]."""
    rows = probabilities.reshape(-1, *probabilities.shape[-2:])
    labels = np.zeros(rows.shape[:-1], np.uint8)
    confidence = np.empty(rows.shape[:-1], np.float32)
    # A few rows at a time, one class after another: a fraction of the time of argmax and max over the last axis.
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        first, *others = np.ascontiguousarray(np.moveaxis(rows[part], -1, 0))
        confidence[part] = first
        for label, of_label in enumerate(others, 1):
            labels[part][of_label > confidence[part]] = label
            np.maximum(confidence[part], of_label, out=confidence[part])
    shape = probabilities.shape[:-1]
    return labels.reshape(shape), confidence.reshape(shape)


def confidence_of(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the probabilities of labels uint8 [..., H, W], from probabilities [..., H, W, C]."""
    found: np.ndarray = np.take_along_axis(probabilities, labels[..., None].astype(np.intp), axis=-1)[..., 0]
    return found


def nan_error(name: str) -> InputError:
    """Return the error of an image for which probabilities are NaN."""
    return InputError(
        f"the model's probabilities for {name} are NaN; train it again with a lower train.learning_rate, or with "
        "train.precision float32."
    )


def _sampled(
    runtime: Runtime, sampling: Sampling, inference: Inference, samples: int, images: np.ndarray
) -> Prediction:
    """Predict from the mean of the samples, with one sample at a time in memory."""
    size, classes = images.shape[:-1], sampling.classes
    mean = np.zeros((*size, classes), np.float32)
    squares, expected_entropy = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for number in range(1, samples + 1):
        sample = averaged(_of_sample(sampling, number), runtime, inference)(images)
        mean += sample / samples
        squares += (sample**2).sum(axis=-1) / samples
        expected_entropy += _entropy(sample) / samples
    entropy = _entropy(mean)
    variance = (squares - (mean**2).sum(axis=-1)) / (1 - 1 / classes)
    uncertainty = np.maximum(variance, 0.0) if sampling.own_samples else entropy
    return Prediction(mean, uncertainty, np.maximum(entropy - expected_entropy, 0.0))


def _of_sample(sampling: Sampling, number: int) -> Predict:
    return lambda images: sampling.sampled(images, number)


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy over the last axis as a share of its highest value."""
    tiny = np.finfo(np.float32).tiny
    logarithms = np.log(np.maximum(probabilities, tiny))
    return -np.einsum("...c,...c->...", probabilities, logarithms) / np.float32(np.log(probabilities.shape[-1]))


def averaged(predict: Predict, runtime: Runtime, inference: Inference) -> Predict:
    """Return `predict` averaged over flips of scales of windows."""
    predict = of_any_size(predict, runtime)
    if inference.window is not None:
        predict = in_windows(predict, inference.window)
    if inference.scales != (1.0,):
        predict = _over_scales(predict, inference.scales)
    return _over_flips(predict) if inference.flip else predict


def of_any_size(predict: Predict, runtime: Runtime) -> Predict:
    """Mirror images that are smaller than the only size that the model takes; a network pads all others itself."""
    least = runtime.fixed_size
    if not least:
        return predict

    def predicted(images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        for axis, (length, shortest) in enumerate(zip((height, width), least, strict=True), 1):
            if length < shortest:
                at = np.arange(shortest) % (2 * length)
                images = images.take(np.minimum(at, 2 * length - 1 - at), axis)
        return predict(images)[:, :height, :width]

    return predicted


def _over_flips(predict: Predict) -> Predict:
    return lambda images: (predict(images) + predict(images[:, :, ::-1])[:, :, ::-1]) / 2


def _over_scales(predict: Predict, scales: Sequence[float]) -> Predict:
    def at(scale: float, images: np.ndarray) -> np.ndarray:
        if scale == 1.0:
            return predict(images)
        size = images.shape[1:3]
        scaled = [max(1, round(scale * length)) for length in size]
        found = predict(np.stack([resized_image(image, scaled) for image in images]))
        return np.stack([antialiased(one, size) for one in found])

    return lambda images: np.mean([at(scale, images) for scale in scales], axis=0)
