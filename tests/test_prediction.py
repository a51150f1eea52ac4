"""Inference options, each against a plain statement of it, alone and all together."""

import functools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.errors import InputError
from maskline.models.segmentation import SegmentationModel
from maskline.prediction.inference import Inference, most_probable, predictor
from maskline.prediction.resizing import antialiased, resized, resized_image
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.prediction.windows import in_windows, predicted_bands

C = 3
EVERYTHING = Inference(flip=True, scales=(0.5, 1.0), window=32, dropout_samples=2)


def build(dropout):
    keras.utils.set_random_seed(2)
    model = SegmentationModel("unet", "unet", ["a", "b", "c"], ["#000000"] * C, 4, dropout, False, "float32")
    last = next(v for v in reversed(model.trainable_variables) if v.path.endswith("kernel"))
    last.assign(4 * last)  # predictions that differ from pixel to pixel
    return model


@pytest.fixture(scope="module")
def plain():
    return build(0.0)


@pytest.fixture(scope="module")
def dropping():
    return build(0.5)


@pytest.fixture
def sampling(dropping, monkeypatch):
    """A model that samples by itself, as Bayesian SegNet does."""
    monkeypatch.setattr(dropping, "architecture", dropping.architecture._replace(samples=3))
    return dropping


@functools.cache
def probabilities_of(model, number=0):
    """Return a compiled function of images: the model's probabilities, or those of its sample `number`."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def ask(images):
        return model.sampled(images, number) if number else model.probabilities(images)

    return lambda images: ask(tf.cast(images, tf.float32)).numpy()


def images_of(height=40, width=52, count=2, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


@functools.cache
def compiled(model, inference):
    return predictor(KerasRuntime(model), inference)


def smaller_or_larger(maps, size):
    return tf.image.resize(maps, size, antialias=True).numpy()


def tent(length):
    return np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))


def windowed(maps, images, window):
    """Blend overlapping windows as stated: weights that fall off linearly, sums divided by the weights' sum."""
    height, width = images.shape[1:3]
    spans = []
    for side in (height, width):
        length = min(side, window)
        last = side - length
        spans.append(
            [(min(s, last), length) for s in range(0, last + window // 2, window // 2)] if last else [(0, side)]
        )
    total, weights = np.zeros((len(images), height, width, C)), np.zeros((height, width, 1))
    for y, h in spans[0]:
        for x, w in spans[1]:
            weight = np.outer(tent(h), tent(w))[..., None]
            place = np.s_[:, y : y + h, x : x + w]
            part = weight * maps(images[place])
            total[place] += part
            weights[place[1:]] += weight
    return total / weights


def stated(maps, images, inference):
    """Probabilities by the options' definitions, in NumPy."""
    flips = [images, images[:, :, ::-1]] if inference.flip else [images]
    found = []
    for flipped in flips:
        of_scales = []
        for scale in inference.scales:
            size = [round(scale * side) for side in images.shape[1:3]]
            scaled = flipped if scale == 1 else np.stack([resized_image(image, size) for image in flipped])
            of_scale = windowed(maps, scaled, inference.window or max(size))
            of_scales.append(of_scale if scale == 1 else smaller_or_larger(of_scale, images.shape[1:3]))
        found.append(np.mean(of_scales, axis=0))
    return np.mean([found[0], *(one[:, :, ::-1] for one in found[1:])], axis=0)


def entropy(probabilities):
    return -(probabilities * np.log(probabilities)).sum(axis=-1) / np.log(C)


def test_nothing_asked_is_the_models_own_prediction(plain):
    images = images_of()
    found = compiled(plain, Inference())(images)
    # In a graph a convolution and its normalisation are one operation, which rounds once.
    logits = tf.function(plain)(images).numpy().astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found.probabilities, probabilities, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.uncertainty, entropy(probabilities), atol=1e-6)
    assert found.mutual_information is None
    assert np.ptp(found.uncertainty) > 0.2


@pytest.mark.parametrize(
    "inference",
    [
        Inference(flip=True),
        Inference(scales=(0.5, 1.5)),
        Inference(window=16),
        EVERYTHING._replace(dropout_samples=0),
    ],
)
def test_options_are_what_they_say(plain, inference):
    images = images_of()
    found = compiled(plain, inference)(images)
    maps = probabilities_of(plain)
    expected = stated(maps, images, inference)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(found.uncertainty, entropy(expected), atol=1e-4)
    assert abs(expected - maps(images)).max() > 0.1


@pytest.mark.parametrize("inference", [Inference(dropout_samples=3), EVERYTHING])
def test_samples_are_averaged_and_their_disagreement_told(dropping, inference):
    images = images_of()
    found = compiled(dropping, inference)(images)
    samples = np.stack(
        [
            stated(probabilities_of(dropping, number), images, inference)
            for number in range(1, inference.dropout_samples + 1)
        ]
    )
    information = entropy(samples.mean(axis=0)) - entropy(samples).mean(axis=0)
    np.testing.assert_allclose(found.probabilities, samples.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.uncertainty, entropy(samples.mean(axis=0)), atol=1e-4)
    np.testing.assert_allclose(found.mutual_information, information, atol=1e-4)
    assert information.max() > 0.001
    assert (found.mutual_information >= 0).all()


def test_one_sample_cannot_disagree(dropping):
    found = compiled(dropping, Inference(dropout_samples=1))(images_of())
    np.testing.assert_allclose(found.mutual_information, np.zeros((2, 40, 52)), atol=1e-6)


def test_a_network_that_samples_by_itself_keeps_its_own_measure(sampling):
    images = images_of()
    found = compiled.__wrapped__(sampling, Inference())(images)  # the cache knows the model as it was
    sampled = tf.function(sampling.sampled)
    samples = np.stack([sampled(images, tf.constant(n)) for n in (1, 2, 3)]).astype(np.float64)
    np.testing.assert_allclose(found.probabilities, samples.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.uncertainty, samples.var(axis=0).sum(axis=-1) * 3 / 2, atol=1e-5)
    assert found.mutual_information.max() > 0.001
    more = predictor(KerasRuntime(sampling), Inference(dropout_samples=5))(images)
    expected = np.mean([sampled(images, tf.constant(n)) for n in range(1, 6)], axis=0)
    np.testing.assert_allclose(more.probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("size", [(40, 52), (52, 17)])
def test_an_image_within_the_window_is_predicted_whole(plain, size):
    images = images_of(*size)
    whole = compiled(plain, Inference())(images)
    found = compiled(plain, Inference(window=52))(images)
    np.testing.assert_array_equal(found.probabilities, whole.probabilities)


@pytest.mark.parametrize("window", [8, 33])
def test_windows_blend_as_stated(window):
    """On maps that depend on the place in the window, which the model's hardly would."""

    def maps(part):
        return np.cumsum(part[:, ::-1], axis=1, dtype=np.float32)[:, ::-1] - np.cumsum(part, axis=2, dtype=np.float32)

    images = images_of(35, 70)
    found = in_windows(maps, window)(images)
    np.testing.assert_allclose(found, windowed(maps, images, window), rtol=1e-4, atol=1e-2)


@settings(max_examples=25)
@given(st.integers(1, 14), st.integers(1, 14), st.integers(4, 9))
def test_every_pixel_is_covered_and_shares_sum_to_one(height, width, window):
    images = images_of(height, width, count=1)
    sizes = set()

    def maps(part):
        sizes.add(part.shape[1:3])
        return part.astype(np.float32)

    np.testing.assert_allclose(in_windows(maps, window)(images), images, rtol=1e-5)
    assert sizes == {(min(height, window), min(width, window))}


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 14), st.integers(4, 9))
def test_bands_are_the_whole_and_keep_few_rows(height, width, window):
    images = images_of(height, width, count=1)
    read = []

    def rows(start, stop):
        read.append(stop - start)
        return images[:, start:stop]

    def maps(part):
        return np.cumsum(part, axis=1, dtype=np.float32)

    bands = list(predicted_bands(maps, rows, (height, width), window))
    np.testing.assert_array_equal(np.concatenate(bands, axis=1), in_windows(maps, window)(images))
    assert max(read) <= window and max(band.shape[1] for band in bands) <= window


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 4), st.integers(0, 99))
def test_resizing_is_tensorflows(sizes, seed):
    height, width, *size = sizes
    maps = np.random.default_rng(seed).random((height, width, 2), np.float32)
    np.testing.assert_array_equal(resized(maps, size), tf.image.resize(maps, size))
    np.testing.assert_allclose(antialiased(maps, size), tf.image.resize(maps, size, antialias=True), atol=1e-4)


def test_antialiasing_does_not_depend_on_the_number_of_threads():
    code = "import hashlib, numpy as np; from maskline.prediction.resizing import antialiased; "
    code += "maps = np.random.default_rng(0).random((540, 720, 3), np.float32); "
    code += "print(hashlib.sha256(antialiased(maps, (360, 480)).tobytes()).hexdigest())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
        ).stdout
        for threads in "12"
    }
    assert len(found) == 1


@settings(max_examples=40)
@given(st.tuples(*[st.integers(1, 70)] * 2), st.integers(2, 12), st.integers(0, 99))
def test_the_most_probable_class_is_the_first_of_the_highest(size, classes, seed):
    probabilities = np.random.default_rng(seed).integers(0, 4, (1, *size, classes)).astype(np.float32)
    labels, confidence = most_probable(probabilities)
    np.testing.assert_array_equal(labels, probabilities.argmax(axis=-1))
    np.testing.assert_array_equal(confidence, probabilities.max(axis=-1))


def test_an_image_is_predicted_alike_alone_and_again(dropping):
    images = images_of(count=3)
    predict = compiled(dropping, EVERYTHING)
    together, again = predict(images), predict(images)
    for whole, repeated in zip(together, again, strict=True):
        np.testing.assert_array_equal(whole, repeated)
    for whole, alone in zip(together, predict(images[1:2]), strict=True):
        np.testing.assert_allclose(whole[1], alone[0], atol=1e-5)


def test_a_tiny_image_at_a_small_scale_is_still_predicted(plain):
    found = compiled(plain, Inference(scales=(0.25,)))(images_of(16, 20))
    np.testing.assert_allclose(found.probabilities.sum(axis=-1), np.ones((2, 16, 20)), atol=1e-5)


def test_samples_of_a_network_without_dropout_are_refused(plain):
    with pytest.raises(InputError, match=r"unet has no dropout .* model.dropout above 0. Received: dropout_samples 4"):
        compiled(plain, Inference(dropout_samples=4))


def test_windows_below_the_stride_are_refused(plain):
    with pytest.raises(InputError, match=r"window must be 16 or more for this network\. Received: 8"):
        compiled(plain, Inference(window=8))


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3), (7, 8)])
@pytest.mark.parametrize("inference", [Inference(), Inference(window=32), Inference(flip=True, scales=(0.5, 1.0, 2.0))])
def test_an_image_shorter_than_half_a_stride_is_predicted_as_its_mirrored_self(plain, size, inference):
    images = images_of(*size)
    found = compiled(plain, inference)(images).probabilities
    assert found.shape == (2, *size, C)
    np.testing.assert_allclose(found.sum(axis=-1), np.ones((2, *size)), atol=1e-5)
    if inference == Inference():
        least = [max(length, plain.stride // 2) for length in size]
        wide = np.pad(
            images,
            [(0, 0), *((0, more - length) for more, length in zip(least, size, strict=True)), (0, 0)],
            "symmetric",
        )
        np.testing.assert_allclose(found, probabilities_of(plain)(wide)[:, : size[0], : size[1]], atol=1e-5)
