"""The bootstrap: draws, intervals, their coverage by simulation, and paired comparisons."""

import os
import subprocess
import sys

import numpy as np
import pytest

from maskline.metrics import bootstrap
from maskline.metrics.bootstrap import interval, intervals, paired_difference, resampled
from maskline.metrics.calibration import expected_calibration_error
from maskline.metrics.scores import HEADLINES, mean_iou, pixel_accuracy, summary

NAMES = ["a", "b"]


def some_matrices(images, seed, skill=8.0):
    """Confusion matrices [images, 2, 2] of images that differ in their classes' shares and in how hard they are."""
    generator = np.random.default_rng(seed)
    truth = generator.multinomial(200, [0.7, 0.3], size=images)
    right = generator.binomial(truth, generator.beta(skill, 2.0, size=(images, 1)))
    wrong = truth - right
    return np.stack([np.stack([right[:, 0], wrong[:, 0]], -1), np.stack([wrong[:, 1], right[:, 1]], -1)], axis=1)


def test_each_resample_draws_as_many_images_and_all_alike():
    counts = np.eye(6, dtype=np.int64)  # so that sums are how often each image was drawn
    drawn = np.concatenate(list(resampled(counts, seed=3, resamples=2000)))
    assert drawn.shape == (2000, 6)
    np.testing.assert_array_equal(drawn.sum(axis=1), 6)
    np.testing.assert_allclose(drawn.mean(axis=0), 1.0, atol=0.1)
    np.testing.assert_allclose(drawn.var(axis=0), 5 / 6, atol=0.1)  # of a multinomial of 6 draws
    np.testing.assert_allclose(np.corrcoef(drawn.T)[0, 1], -1 / 5, atol=0.1)


def test_sums_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch):
    counts = some_matrices(11, 1)
    at_once = list(resampled(counts, seed=5, resamples=20))
    monkeypatch.setattr(bootstrap, "_NUMBERS", 3 * 11)
    in_threes = list(resampled(counts, seed=5, resamples=20))
    assert [len(sums) for sums in at_once] == [20]
    assert [len(sums) for sums in in_threes] == [3] * 6 + [2]
    np.testing.assert_array_equal(np.concatenate(in_threes), at_once[0])


def test_seed_decides_the_draws():
    counts = some_matrices(11, 1)
    first, same, other = (intervals(counts, NAMES, seed, 100) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_intervals_are_the_same_in_another_process_of_one_thread():
    code = (
        "import numpy as np; from maskline.metrics.bootstrap import intervals;"
        "counts = np.arange(80).reshape(20, 2, 2) % 13; print(intervals(counts, ['a', 'b'], 4, 200))"
    )
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    other = subprocess.run([sys.executable, "-c", code], env=one_thread, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(intervals(np.arange(80).reshape(20, 2, 2) % 13, NAMES, 4, 200))


def test_intervals_of_every_headline_and_class_hold_the_figure():
    matrices = some_matrices(60, 2)
    figures, ends = summary(matrices, NAMES), intervals(matrices, NAMES, seed=1)
    assert list(ends) == [*HEADLINES, "iou.a", "iou.b"]
    for name, (low, high) in ends.items():
        assert low < figures[name] < high
        assert high - low < 0.2
    wider = intervals(matrices, NAMES, seed=1, level=0.99)
    assert all(wider[name][0] < low and high < wider[name][1] for name, (low, high) in ends.items())


def test_interval_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(0).normal(size=400)
    counts = np.stack([values, np.ones(400)], axis=-1)
    low, high = interval(counts, lambda sums: sums[:, 0] / sums[:, 1], seed=0, resamples=4000)
    error = 1.96 * values.std() / 20
    np.testing.assert_allclose([low, high], [values.mean() - error, values.mean() + error], atol=0.01)


def test_equal_images_have_an_interval_of_no_width():
    matrices = np.repeat(some_matrices(1, 3), 9, axis=0)
    assert all(low == high for low, high in intervals(matrices, NAMES, seed=1, resamples=50).values())


def test_an_absent_class_has_no_interval_and_a_rare_one_that_of_the_resamples_that_have_it():
    matrices = np.zeros((8, 3, 3), np.int64)
    matrices[:, 0, 0] = 9
    matrices[0, 1] = 2, 6, 0  # class b is in one image only
    ends = intervals(matrices, ["a", "b", "c"], seed=1, resamples=200)
    assert ends["iou.c"] == (None, None)
    assert ends["iou.b"] == (0.75, 0.75)


def test_counts_of_other_kinds_are_resampled_alike():
    generator = np.random.default_rng(1)
    pixels = generator.integers(50, 100, (30, 5))
    right, confidence = generator.binomial(pixels, 0.7), 0.8 * pixels
    counts = np.stack([pixels, right, confidence], axis=-1)
    low, high = interval(counts, lambda sums: expected_calibration_error(sums[..., :2], sums[..., 2]), seed=1)
    assert 0.05 < low < 0.1 < high < 0.15


@pytest.mark.parametrize("metric", [mean_iou, pixel_accuracy])
def test_95_percent_intervals_hold_the_truth_in_about_95_of_100_data_sets(metric):
    truth = metric(some_matrices(200_000, 99).sum(axis=0))
    held = 0
    for seed in range(200):
        low, high = interval(some_matrices(40, seed), metric, seed=10_000 + seed, resamples=400)
        held += low <= truth <= high
    assert 176 <= held <= 198


def test_a_pair_of_equal_models_does_not_differ():
    matrices = some_matrices(25, 4)
    found = paired_difference(matrices, matrices, mean_iou, seed=1, resamples=100)
    assert tuple(map(float, found)) == (0.0, 0.0, 0.0, 1.0)


def test_pairing_finds_a_difference_that_two_intervals_hide():
    a = some_matrices(60, 5)
    b = a.copy()
    better = np.minimum(b[:, 0, 1], np.arange(60) % 5)  # a few pixels an image mended
    b[:, 0, 0] += better
    b[:, 0, 1] -= better
    found = paired_difference(a, b, pixel_accuracy, seed=1)
    assert found.difference == pytest.approx(pixel_accuracy(b.sum(axis=0)) - pixel_accuracy(a.sum(axis=0)))
    assert 0 < found.low < found.difference < found.high
    assert found.p_value == pytest.approx(2 / 1001)
    assert interval(a, pixel_accuracy, 1)[1] > interval(b, pixel_accuracy, 1)[0]
    swapped = paired_difference(b, a, pixel_accuracy, seed=1)
    np.testing.assert_allclose(swapped, [-found.difference, -found.high, -found.low, found.p_value])


def test_false_alarms_are_as_rare_as_the_level_says():
    alarms = 0
    for seed in range(200):
        hardness = some_matrices(40, seed)
        generator = np.random.default_rng(1000 + seed)
        a, b = (hardness + generator.integers(0, 9, hardness.shape) for _ in range(2))  # alike but for luck
        found = paired_difference(a, b, mean_iou, seed=10_000 + seed, resamples=400)
        alarms += not found.low <= 0 <= found.high
        assert (found.p_value < 0.04) <= (not found.low <= 0 <= found.high) <= (found.p_value < 0.06)
    assert 4 <= alarms <= 26  # 7 of 100 among 40 images: percentile intervals of few images are a little narrow


def test_differences_of_several_figures_at_once():
    a, b = some_matrices(20, 6), some_matrices(20, 7)
    found = paired_difference(a, b, bootstrap.headlines_and_ious, seed=1, resamples=50)
    assert [part.shape for part in found] == [(7,)] * 4
    alone = paired_difference(a, b, mean_iou, seed=1, resamples=50)
    np.testing.assert_array_equal([part[2] for part in found], alone)


def test_a_figure_without_a_value_has_no_p_value():
    a = np.zeros((5, 2, 2), np.int64)
    a[:, 0, 0] = 1
    found = paired_difference(a, a, bootstrap.headlines_and_ious, seed=1, resamples=20)
    assert np.isnan([part[-1] for part in found]).all()


def test_pairs_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape. Received: \(5, 2, 2\) and \(4, 2, 2\)"):
        paired_difference(some_matrices(5, 1), some_matrices(4, 1), mean_iou, seed=1)
