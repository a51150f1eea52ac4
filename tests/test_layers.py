"""The layers of its own: max-unpooling, adaptive pooling, resizing, dropout that can be sampled, dilation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from maskline.models.encoders.dilation import dilated
from maskline.models.layers.dropout import MonteCarloDropout, constant_sample
from maskline.models.layers.resizing import AdaptiveAveragePooling, NearestUpsampling, ResizeLike, Upsampling
from maskline.models.layers.unpooling import MaxUnpooling

UNKNOWN = tf.TensorSpec((None, None, None, 2), tf.float32)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def unpooled(values, pooled):
    """Max-unpooling by a loop over windows; the first of equal maxima, in reading order, takes the value."""
    out = np.zeros_like(pooled)
    for b, i, j, c in np.ndindex(*values.shape):
        window = pooled[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        row, column = divmod(int(np.argmax(window)), 2)
        out[b, 2 * i + row, 2 * j + column, c] = values[b, i, j, c]
    return out


shapes = st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))


@given(shapes, st.integers(0, 99), st.integers(1, 4))
def test_unpooling_equals_a_loop_and_the_first_of_equals_wins(shape, seed, levels):
    random = np.random.default_rng(seed)
    batch, height, width, channels = shape
    # Few levels, so that most windows have ties; with one level all four are equal.
    pooled = random.integers(0, levels, (batch, 2 * height, 2 * width, channels)).astype(np.float32)
    values = random.normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(MaxUnpooling()([values, pooled]), unpooled(values, pooled))


@given(shapes, st.integers(0, 99))
def test_pooling_takes_back_what_unpooling_did(shape, seed):
    random = np.random.default_rng(seed)
    batch, height, width, channels = shape
    pooled = random.integers(0, 3, (batch, 2 * height, 2 * width, channels)).astype(np.float32)
    values = random.uniform(0.1, 1, shape).astype(np.float32)
    sparse = MaxUnpooling()([values, pooled])
    np.testing.assert_array_equal(layers.MaxPooling2D()(sparse), values)
    assert np.count_nonzero(sparse) == values.size


def test_unpooling_sends_gradients_only_to_where_the_maximum_was():
    values, pooled = tf.Variable(noise(1, 3, 4, 2)), tf.Variable(noise(1, 6, 8, 2, seed=1))
    upstream = noise(1, 6, 8, 2, seed=2)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(MaxUnpooling()([values, pooled]) * upstream)
    into_values, into_pooled = tape.gradient(total, [values, pooled])
    chosen = unpooled(np.ones(values.shape, np.float32), pooled.numpy()) * upstream
    np.testing.assert_allclose(into_values, chosen.reshape(1, 3, 2, 4, 2, 2).sum(axis=(2, 4)), rtol=1e-6)
    assert into_pooled is None


def test_unpooling_of_unknown_sizes():
    traced = tf.function(lambda v, p: MaxUnpooling()([v, p]), input_signature=[UNKNOWN, UNKNOWN])
    values, pooled = noise(2, 3, 5, 2), noise(2, 6, 10, 2, seed=1)
    np.testing.assert_array_equal(traced(values, pooled), unpooled(values, pooled))


def pooled_by_a_loop(x, bins):
    """PyTorch's rule: bin i spans floor(i n / bins) to ceil((i + 1) n / bins)."""
    batch, height, width, channels = x.shape
    out = np.zeros((batch, bins, bins, channels))
    for i, j in np.ndindex(bins, bins):
        top, bottom = int(np.floor(i * height / bins)), int(np.ceil((i + 1) * height / bins))
        left, right = int(np.floor(j * width / bins)), int(np.ceil((j + 1) * width / bins))
        out[:, i, j] = x[:, top:bottom, left:right].mean(axis=(1, 2))
    return out


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@given(st.integers(1, 14), st.integers(1, 14))
def test_adaptive_pooling_equals_a_loop(bins, height, width):
    x = noise(2, height, width, 2, seed=height)
    np.testing.assert_allclose(AdaptiveAveragePooling(bins)(x), pooled_by_a_loop(x, bins), rtol=1e-4, atol=1e-5)


@given(st.integers(1, 9), st.integers(1, 500))
def test_bins_of_adaptive_pooling_end_at_the_ceiling(bins, length):
    inside = AdaptiveAveragePooling(bins)._weights(tf.constant(length)).numpy() > 0
    for number, row in enumerate(inside):
        start, end = number * length // bins, -(-(number + 1) * length // bins)
        np.testing.assert_array_equal(np.flatnonzero(row), np.arange(start, end))


def test_adaptive_pooling_of_unknown_sizes_and_known_cases():
    traced = tf.function(AdaptiveAveragePooling(3), input_signature=[UNKNOWN])
    for shape in ((1, 7, 5, 2), (2, 2, 9, 2)):
        np.testing.assert_allclose(traced(noise(*shape)), pooled_by_a_loop(noise(*shape), 3), rtol=1e-4, atol=1e-5)
    x = noise(1, 6, 6, 2)
    np.testing.assert_allclose(AdaptiveAveragePooling(6)(x), x, rtol=1e-6)
    np.testing.assert_allclose(AdaptiveAveragePooling(1)(x)[:, 0, 0], x.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    assert AdaptiveAveragePooling(3, dtype="mixed_float16")(x).dtype == tf.float16


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_upsampling_is_bilinear_with_pixels_as_areas(factor):
    x = noise(2, 3, 5, 2)
    expected = tf.image.resize(x, (3 * factor, 5 * factor))
    np.testing.assert_array_equal(Upsampling(factor)(x), expected)
    np.testing.assert_array_equal(tf.function(Upsampling(factor), input_signature=[UNKNOWN])(x), expected)
    np.testing.assert_array_equal(ResizeLike()([x, noise(2, 3 * factor, 5 * factor, 7)]), expected)
    np.testing.assert_allclose(Upsampling(factor)(np.full((1, 3, 2, 1), 0.7, np.float32)), 0.7, rtol=1e-6)
    half = Upsampling(factor, dtype="mixed_float16")(x)
    assert half.dtype == tf.float16 and half.shape == expected.shape
    # Two pixels 0 and 1, twice as large: a quarter of the way in from each.
    row = Upsampling(2)(np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1))
    np.testing.assert_allclose(np.ravel(row)[:4], [0, 0.25, 0.75, 1])


def test_resizing_like_another_works_for_unknown_sizes_and_any_ratio():
    traced = tf.function(lambda a, b: ResizeLike()([a, b]), input_signature=[UNKNOWN, UNKNOWN])
    x = noise(1, 6, 6, 2)
    np.testing.assert_array_equal(traced(x, noise(1, 11, 4, 2)), tf.image.resize(x, (11, 4)))
    np.testing.assert_allclose(traced(np.ones((1, 1, 1, 2), np.float32), noise(1, 9, 4, 2)), 1.0)


def test_the_nearest_neighbor_repeats_each_pixel():
    x = noise(2, 3, 5, 2)
    traced = tf.function(NearestUpsampling(), input_signature=[UNKNOWN])
    np.testing.assert_array_equal(traced(x), x.repeat(2, axis=1).repeat(2, axis=2))
    assert NearestUpsampling(dtype="mixed_float16")(x).dtype == tf.float16


def test_shapes_are_told_before_sizes_are_known():
    unknown, known = keras.Input((None, None, 2)), keras.Input((6, 4, 5))
    assert Upsampling(4)(unknown).shape == (None, None, None, 2)
    assert Upsampling(4)(known).shape == (None, 24, 16, 5)
    assert NearestUpsampling()(unknown).shape == (None, None, None, 2)
    assert NearestUpsampling()(known).shape == (None, 12, 8, 5)
    assert AdaptiveAveragePooling(3)(unknown).shape == (None, 3, 3, 2)
    assert ResizeLike()([unknown, known]).shape == (None, 6, 4, 2)
    assert MaxUnpooling()([unknown, known]).shape == (None, 6, 4, 5)


def sample(layer, x, number):
    layer.sample.assign(number)
    out = np.array(layer(x))
    layer.sample.assign(0)
    return out


def test_dropout_is_the_identity_at_inference_and_with_rate_0():
    x = noise(2, 4, 4, 3)
    np.testing.assert_array_equal(MonteCarloDropout(0.5)(x), x)
    np.testing.assert_array_equal(MonteCarloDropout(0.0)(x, training=True), x)


@pytest.mark.parametrize("spatial", [False, True])
def test_a_sample_is_a_function_of_its_number_alone(spatial):
    x = np.ones((3, 8, 8, 16), np.float32)
    one, other = (MonteCarloDropout(0.5, stream=4, spatial=spatial) for _ in range(2))
    first = sample(one, x, 1)
    sample(one, x, 7)
    one(x, training=True)
    np.testing.assert_array_equal(sample(one, x, 1), first)
    np.testing.assert_array_equal(sample(other, x[:1], 1), first[:1])
    np.testing.assert_array_equal(first[1:], np.repeat(first[:1], 2, axis=0))
    assert not np.array_equal(sample(one, x, 2), first)
    assert not np.array_equal(sample(MonteCarloDropout(0.5, stream=5, spatial=spatial), x, 1), first)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_keeps_its_rate_and_the_mean(rate):
    x = np.ones((1, 32, 32, 8), np.float32)
    layer = MonteCarloDropout(rate)
    for out in (sample(layer, x, 3), np.array(layer(x, training=True))):
        assert np.mean(out == 0) == pytest.approx(rate, abs=0.03)
        np.testing.assert_allclose(out[out > 0], 1 / (1 - rate), rtol=1e-5)
    mean = np.mean([sample(layer, x[:, :4, :4], n) for n in range(1, 401)], axis=0)
    np.testing.assert_allclose(mean, 1.0, atol=6 * np.sqrt(rate / (1 - rate) / 400))


def test_spatial_dropout_drops_whole_channels():
    layer = MonteCarloDropout(0.5, spatial=True)
    x = np.ones((4, 5, 5, 64), np.float32)
    for out in (sample(layer, x, 1), np.array(layer(x, training=True))):
        assert np.all(out == out[:, :1, :1])
        assert 0.2 < np.mean(out[:, 0, 0] == 0) < 0.8


def test_training_draws_another_mask_for_each_call_and_image():
    layer = MonteCarloDropout(0.5)
    x = np.ones((2, 8, 8, 4), np.float32)
    first, second = np.array(layer(x, training=True)), np.array(layer(x, training=True))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


def test_samples_are_the_same_inside_a_function_that_was_traced_before():
    layer, x = MonteCarloDropout(0.5), np.ones((1, 6, 6, 2), np.float32)
    traced = tf.function(layer, input_signature=[UNKNOWN])
    np.testing.assert_array_equal(traced(x), x)
    layer.sample.assign(2)
    np.testing.assert_array_equal(traced(x), layer(x))
    assert np.any(np.array(traced(x)) == 0)


@pytest.mark.parametrize("size", [6, None])
def test_a_constant_sample_is_the_same_and_leaves_no_branch_in_the_graph(size):
    layer, x = MonteCarloDropout(0.5, stream=2), np.ones((2, 6, 6, 2), np.float32)
    for number in (0, 1, 3):
        with constant_sample([layer], number):
            traced = tf.function(layer).get_concrete_function(tf.TensorSpec((None, size, size, 2), tf.float32))
            np.testing.assert_array_equal(layer(x), sample(layer, x, number))
        np.testing.assert_array_equal(traced(tf.constant(x)), sample(layer, x, number))
        operations = {operation.type for operation in traced.graph.get_operations()}
        assert not operations & {"If", "StatelessIf", "ReadVariableOp"}
        assert bool(operations & {"StatelessRandomUniformV2"}) == (number > 0 and size is None)
    assert layer.constant is None


def test_dilation_keeps_every_second_feature_and_the_number_of_weights():
    images = keras.Input((None, None, 1))
    x = layers.Conv2D(3, 3, strides=2, padding="same", name="one")(images)
    x = layers.Conv2D(3, 3, padding="same", name="two")(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", name="three")(x)
    plain = keras.Model(images, layers.Conv2D(2, 3, padding="same", name="four")(x))
    dense = dilated(plain, 2)
    dense.set_weights(plain.get_weights())
    assert [dense.get_layer(n).dilation_rate for n in ("one", "two", "three", "four")] == [(1, 1)] * 3 + [(2, 2)]
    picture = noise(1, 32, 32, 1)
    coarse, fine = np.array(plain(picture)), np.array(dense(picture))
    assert fine.shape[1] == 2 * coarse.shape[1]
    # TensorFlow pads a stride of 2 on the far side, so that the plain features are those that start at 1.
    np.testing.assert_allclose(fine[:, 1::2, 1::2][:, 2:-2, 2:-2], coarse[:, 2:-2, 2:-2], rtol=1e-4, atol=1e-5)


def test_dilation_leaves_the_given_network_as_it_is():
    images = keras.Input((None, None, 1))
    plain = keras.Model(images, layers.Conv2D(2, 3, strides=2, padding="same", name="one")(images))
    dilated(plain, 1)
    assert plain.get_layer("one").strides == (2, 2)
