"""The paired test: by hand, by all exchanges, and by simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_bootstrap import some_matrices

from maskline.comparison import paired
from maskline.comparison.paired import image_effects, paired_difference
from maskline.metrics.bootstrap import headlines_and_ious, interval
from maskline.metrics.scores import mean_iou, pixel_accuracy


def of_one(metric):
    """Return a metric as one of several."""
    return lambda sums: metric(sums)[..., None]


def alike(seed, images):
    """Return two models that differ by chance alone."""
    generator = np.random.default_rng(1000 + seed)
    hardness = some_matrices(images, seed)
    return (hardness + generator.integers(0, 9, hardness.shape) for _ in range(2))


def exchanged(a, b, which):
    """Return both models with the counts of some images exchanged."""
    mask = np.asarray(which)[:, None, None]
    return np.where(mask, b, a), np.where(mask, a, b)


def test_a_pair_of_equal_models_does_not_differ():
    matrices = some_matrices(25, 4)
    found = paired_difference(matrices, matrices, of_one(mean_iou), seed=1, resamples=100)
    assert tuple(map(float, np.concatenate(found))) == (0.0, 0.0, 0.0, 1.0)


@given(arrays(np.int64, (2, 7, 2, 2), elements=st.integers(1, 50)), st.lists(st.booleans(), min_size=7, max_size=7))
def test_exchanging_images_changes_the_signs_of_their_effects_alone(models, which):
    before = image_effects(*models, headlines_and_ious)
    after = image_effects(*exchanged(*models, which), headlines_and_ious)
    np.testing.assert_allclose(after, np.where(np.array(which)[:, None], -before, before), atol=1e-12)


@given(arrays(np.int64, (2, 6, 2, 2), elements=st.integers(1, 50)))
def test_the_p_value_is_the_share_of_all_exchanges_that_differ_as_much(models):
    found = paired_difference(*models, of_one(pixel_accuracy), seed=1, resamples=64)
    sums = [
        abs(image_effects(*exchanged(*models, which), of_one(pixel_accuracy)).sum())
        for which in itertools.product([False, True], repeat=6)
    ]
    assert found.p_value[0] == pytest.approx(np.mean(np.array(sums) >= sums[0] - 1e-12))


def test_random_exchanges_agree_with_all_of_them():
    a, b = alike(3, 12)
    everything = paired_difference(a, b, headlines_and_ious, seed=1, resamples=2**11)
    some = paired_difference(a, b, headlines_and_ious, seed=1, resamples=2**11 - 1)
    np.testing.assert_allclose(some.p_value, everything.p_value, atol=0.05)
    np.testing.assert_allclose(some.low, everything.low, atol=0.01)


def test_pairing_finds_a_difference_that_two_intervals_hide():
    a = some_matrices(60, 5)
    b = a.copy()
    better = np.minimum(b[:, 0, 1], np.arange(60) % 5)  # a few pixels an image are mended
    b[:, 0, 0] += better
    b[:, 0, 1] -= better
    found = paired_difference(a, b, of_one(pixel_accuracy), seed=1, resamples=1000)
    difference = pixel_accuracy(b.sum(axis=0)) - pixel_accuracy(a.sum(axis=0))
    assert found.difference == pytest.approx(difference)
    assert 0 < found.low < found.difference < found.high
    assert found.p_value == pytest.approx(1 / 1001)
    assert interval(a, pixel_accuracy, 1)[1] > interval(b, pixel_accuracy, 1)[0]
    swapped = paired_difference(b, a, of_one(pixel_accuracy), seed=1, resamples=1000)
    np.testing.assert_allclose(swapped, [-found.difference, -found.high, -found.low, found.p_value])


def test_intervals_of_95_percent_hold_the_difference_in_about_95_of_100_data_sets():
    """A is right in 80 of 100 pixels and B in 84 on average; what is hard is hard for both."""
    held = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        skill = generator.beta(8, 2, 40)
        right = [generator.binomial(200, np.clip(skill + more, 0, 1)) for more in (0.0, 0.04)]
        a, b = (np.stack([200 - r, r], axis=-1) for r in right)
        found = paired_difference(a, b, lambda sums: sums[:, 1:] / 200 / 40, seed, resamples=400)
        truth = np.clip(np.random.default_rng(1).beta(8, 2, 200_000) + np.array([[0.0], [0.04]]), 0, 1).mean(axis=1)
        held += found.low[0] <= truth[1] - truth[0] <= found.high[0]
    assert 0.92 <= held / 300 <= 0.98


def test_false_alarms_are_as_rare_as_the_level_says():
    alarms = 0
    for seed in range(400):
        found = paired_difference(*alike(seed, 40), headlines_and_ious, seed=10_000 + seed, resamples=400)
        excluded = ~((found.low <= 0) & (found.high >= 0))
        np.testing.assert_array_equal(excluded, found.p_value <= 0.05)
        alarms += excluded.any()
    assert 0.02 <= alarms / 400 <= 0.08


def test_the_p_value_of_several_metrics_is_corrected_for_their_number():
    a, b = alike(6, 20)
    together = paired_difference(a, b, headlines_and_ious, seed=1, resamples=999)
    assert [part.shape for part in together] == [(7,)] * 4
    alone = paired_difference(a, b, of_one(mean_iou), seed=1, resamples=999)
    assert together.difference[2] == alone.difference[0]
    assert together.p_value[2] > alone.p_value[0]
    assert together.high[2] - together.low[2] > alone.high[0] - alone.low[0]


def test_effects_do_not_depend_on_how_many_images_are_taken_at_once(monkeypatch):
    a, b = alike(7, 11)
    at_once = image_effects(a, b, headlines_and_ious)
    monkeypatch.setattr(paired, "_NUMBERS", 3 * 4)
    np.testing.assert_array_equal(image_effects(a, b, headlines_and_ious), at_once)


def test_a_figure_without_a_value_has_no_p_value():
    a = np.zeros((5, 2, 2), np.int64)
    a[:, 0, 0] = 1
    found = paired_difference(a, a, headlines_and_ious, seed=1, resamples=20)
    assert np.isnan([part[-1] for part in found]).all()


def test_too_few_images_exclude_nothing():
    a, b = some_matrices(4, 1), some_matrices(4, 2)
    found = paired_difference(a, b, headlines_and_ious, seed=1)
    assert (found.p_value >= 1 / 8).all()
    assert ((found.low <= 0) & (found.high >= 0)).all()


def test_pairs_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape. Received: \(5, 2, 2\) and \(4, 2, 2\)"):
        paired_difference(some_matrices(5, 1), some_matrices(4, 1), of_one(mean_iou), seed=1)
