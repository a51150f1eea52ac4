"""Losses against plain NumPy statements of their formulas, on void, on class weights, and their gradients."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskline.classes import VOID
from maskline.training.losses import LOSSES, class_weights, cross_entropy, dice, weighted_sum

C = 3
SHAPES = st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 4))


@st.composite
def labels_and_logits(draw):
    shape = draw(SHAPES)
    labels = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, VOID])))
    logits = draw(hnp.arrays(np.float32, (*shape, C), elements=st.floats(-9, 9, width=32)))
    return labels, logits


def softmax(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def plain_cross_entropy(labels, logits, weights):
    total = weight_sum = 0.0
    probabilities = softmax(logits)
    for place in np.ndindex(labels.shape):
        if labels[place] != VOID:
            weight = weights[labels[place]]
            total -= weight * np.log(probabilities[place][labels[place]])
            weight_sum += weight
    return total / weight_sum if weight_sum else 0.0


def plain_dice(labels, logits):
    valid = labels != VOID
    probabilities = softmax(logits)
    losses = []
    for label in range(C):
        truth = labels[valid] == label
        predicted = probabilities[valid][:, label]
        if truth.any():
            losses.append(1 - 2 * predicted[truth].sum() / (predicted.sum() + truth.sum()))
    return np.mean(losses) if losses else 0.0


@given(labels_and_logits(), st.sampled_from([None, (1.0, 1.0, 1.0), (0.5, 2.0, 7.0)]))
def test_cross_entropy_is_its_formula(pair, weights):
    labels, logits = pair
    ours = float(cross_entropy(labels, logits, None if weights is None else np.array(weights)))
    assert ours == pytest.approx(plain_cross_entropy(labels, logits, weights or (1, 1, 1)), rel=1e-4, abs=1e-5)


@given(labels_and_logits())
def test_dice_is_its_formula(pair):
    labels, logits = pair
    assert float(dice(labels, logits)) == pytest.approx(plain_dice(labels, logits), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_void_has_no_gradient_and_all_void_is_zero(name):
    logits = tf.Variable(tf.random.stateless_normal((2, 4, 4, C), seed=(1, 2)))
    labels = np.array(tf.random.stateless_uniform((2, 4, 4), (3, 4), maxval=C, dtype=tf.int32))
    labels[:, 0] = VOID
    for truth in (labels, np.full_like(labels, VOID)):
        with tf.GradientTape() as tape:
            value = LOSSES[name](truth, logits, np.ones(C))
        gradient = tape.gradient(value, logits).numpy()
        assert np.isfinite(gradient).all()
        assert not gradient[truth == VOID].any()
    assert float(value) == 0.0


@pytest.mark.parametrize("name", LOSSES)
def test_the_right_answer_costs_least(name):
    labels = np.array([[[0, 1, 2, VOID]]])
    right = 12.0 * np.eye(C)[[0, 1, 2, 0]][None, None]
    wrong = 12.0 * np.eye(C)[[1, 2, 0, 0]][None, None]
    assert float(LOSSES[name](labels, right.astype(np.float32))) < 0.01
    assert float(LOSSES[name](labels, wrong.astype(np.float32))) > 0.9


def test_weighted_sum_leaves_out_what_weighs_nothing():
    labels, logits = np.array([[[0, 1]]]), np.array([[[[1.0, 0, 0], [0, 0, 1.0]]]], np.float32)
    both = float(weighted_sum({"cross_entropy": 2.0, "dice": 0.5}, None)(labels, logits))
    assert both == pytest.approx(2 * float(cross_entropy(labels, logits)) + 0.5 * float(dice(labels, logits)))
    assert float(weighted_sum({"cross_entropy": 1.0, "dice": 0.0}, None)(labels, logits)) == pytest.approx(
        float(cross_entropy(labels, logits))
    )


def test_class_weights_by_hand():
    pixels, images = np.array([800, 150, 50]), np.array([10, 5, 1])
    assert class_weights("none", pixels, images, 100) is None
    inverse = class_weights("inverse", pixels, images, 100)
    np.testing.assert_allclose(inverse * pixels, (inverse * pixels)[0], rtol=1e-6)
    median = class_weights("median_frequency", pixels, images, 100)
    frequency = np.array([0.8, 0.3, 0.5])
    np.testing.assert_allclose(median / median[2], (0.5 / frequency) / 1.0, rtol=1e-6)
    for weights in (inverse, median):
        assert (weights * pixels).sum() == pytest.approx(pixels.sum())
