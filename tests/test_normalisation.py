"""The fused batch normalisation is Keras's own, up to rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from maskline.models.layers.normalization import BatchNormalization, batch_norm, fused

SHAPES = [(4, 5, 6, 3), (1, 1, 1, 8), (2, 16, 1, 1)]
TOLERANCE = {"float32": 2e-5, "mixed_bfloat16": 2e-2, "mixed_float16": 2e-3}


def pair(shape, **options):
    """Return Keras's layer and the fused one with the same odd weights."""
    made = [cls(momentum=0.7, **options) for cls in (keras.layers.BatchNormalization, BatchNormalization)]
    rng = np.random.default_rng(0)
    for layer in made:
        layer.build(shape)
    for one, other in zip(*(layer.variables for layer in made), strict=True):
        value = rng.uniform(0.5, 2, one.shape)
        one.assign(value)
        other.assign(value)
    return made


def passed(layer, x, training):
    """Return outputs, gradients of a weighing of them, and the variables afterwards."""
    x = tf.convert_to_tensor(x)
    weights = tf.constant(np.random.default_rng(2).normal(size=x.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * weights)
    found = [y, *tape.gradient(loss, [x, *layer.trainable_variables]), *layer.variables]
    return y.dtype, [tf.cast(value, tf.float32).numpy() for value in found]


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_gradients_and_averages_are_keras_own(shape, training, precision):
    x = np.random.default_rng(1).normal(3, 2, shape).astype(np.float32)
    (kind, expected), (dtype, found) = (passed(layer, x, training) for layer in pair(shape, dtype=precision))
    assert kind == dtype
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=TOLERANCE[precision] * max(1.0, np.abs(other).max()))


def test_averages_move_in_training_alone_and_not_when_frozen():
    _, layer = pair((2, 4, 4, 3))
    before = [value.numpy() for value in layer.non_trainable_variables]
    x = np.random.default_rng(1).normal(9, 2, (2, 4, 4, 3)).astype(np.float32)
    layer(x, training=False)
    layer.trainable = False
    frozen = layer(x, training=True)
    for value, was in zip((layer.moving_mean, layer.moving_variance), before, strict=True):
        np.testing.assert_array_equal(value, was)
    np.testing.assert_array_equal(frozen, layer(x, training=False))
    layer.trainable = True
    assert np.abs(layer(x, training=True).numpy() - frozen.numpy()).max() > 0.1
    assert (layer.moving_mean.numpy() != before[0]).all()


@pytest.mark.parametrize("precision", TOLERANCE)
def test_frozen_averages_normalize_in_training_as_in_keras_at_inference(precision):
    x = np.random.default_rng(1).normal(3, 2, (4, 5, 6, 3)).astype(np.float32)
    keras_own, layer = pair(x.shape, dtype=precision)
    layer.frozen = True
    (_, expected), (_, found) = passed(keras_own, x, training=False), passed(layer, x, training=True)
    assert len(found) == 8  # outputs, three gradients, of which the averages have none, and four variables
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=TOLERANCE[precision] * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_scale_and_offset_may_be_left_out(options):
    x = np.random.default_rng(1).normal(3, 2, (4, 5, 6, 3)).astype(np.float32)
    for training in (True, False):
        one, other = (passed(layer, x, training)[1][0] for layer in pair(x.shape, **options))
        np.testing.assert_allclose(other, one, atol=1e-5)


def test_a_networks_own_layers_are_fused_and_give_equal_predictions(tmp_path):
    images = keras.Input((None, None, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(images))
    network = keras.Model(images, keras.layers.BatchNormalization()(x))
    for variable in network.variables:
        variable.assign(np.random.default_rng(3).uniform(0.5, 2, variable.shape))
    batch = np.random.default_rng(1).normal(size=(2, 9, 8, 3)).astype(np.float32)
    before = network(batch).numpy()
    network = fused(network)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert [type(layer) for layer in norms] == [BatchNormalization] * 2 and norms[0].momentum == 0.9
    np.testing.assert_allclose(network(batch), before, rtol=1e-5)
    network.save(tmp_path / "fused.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "fused.keras")(batch), network(batch))


def test_unknown_sizes_work_in_a_graph():
    images = keras.Input((None, None, 3))
    network = keras.Model(images, batch_norm(images))
    assert tf.function(network)(tf.ones([2, 5, 7, 3])).shape == (2, 5, 7, 3)
