"""The bootstrap: draws, intervals, and their coverage by simulation."""

import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.metrics import bootstrap
from maskline.metrics.bootstrap import interval, intervals, resampled
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


# Groups of images.


def unequal_matrices(images, seed):
    """Confusion matrices [images, 2, 2] of images with heavy-tailed sizes, and a class that few of them show."""
    generator = np.random.default_rng(seed)
    size = (200 * (1 + generator.pareto(2.5, images))).astype(np.int64)
    truth = generator.multinomial(size, [0.98, 0.02]) * (generator.random((images, 1)) < [1, 0.1])
    right = generator.binomial(truth, generator.beta(8, 2, (images, 1)))
    wrong = truth - right
    return np.stack([np.stack([right[:, 0], wrong[:, 0]], -1), np.stack([wrong[:, 1], right[:, 1]], -1)], axis=1)


def drawn_in_groups(counts, seed, resamples, groups):
    with mock.patch.object(bootstrap, "RANDOM_GROUPS", groups):
        return np.concatenate(list(resampled(counts, seed, resamples)))


@given(st.integers(2, 40), st.integers(0, 60), st.integers(0, 5))
def test_groups_hold_every_image_once_in_even_numbers(groups, more, seed):
    """Each image counts in a column of its own, and all images count in the last."""
    images = groups + 1 + more
    counts = np.column_stack([np.eye(images, dtype=np.int64), np.ones(images, np.int64)])
    with mock.patch.object(bootstrap, "RANDOM_GROUPS", groups), mock.patch.object(bootstrap, "_draws", every_unit_once):
        (each,) = resampled(counts, seed, groups)
    assert each.shape == (groups, images + 1)
    np.testing.assert_array_equal(each[:, :-1].sum(axis=0), 1)
    np.testing.assert_array_equal(each[:, :-1].sum(axis=1), each[:, -1])
    assert np.ptp(each[:, -1]) <= 1


def every_unit_once(generator, units, resamples):
    return np.eye(units)


@given(st.integers(1, 200), st.integers(0, 5))
def test_as_many_images_as_groups_are_resampled_one_by_one(images, seed):
    counts = some_matrices(images, 1)
    plain = np.concatenate(list(resampled(counts, seed, 7)))
    np.testing.assert_array_equal(drawn_in_groups(counts, seed, 7, images), plain)


def test_groups_and_images_give_sums_of_one_mean_and_spread():
    counts = unequal_matrices(6000, 1)
    ratios = []
    for seed in range(40):
        parts = [drawn_in_groups(counts, seed, 200, groups) for groups in (6000, 300)]
        np.testing.assert_allclose(parts[1].mean(axis=0), counts.sum(axis=0), rtol=0.05)
        ratios.append(parts[1].var(axis=0) / parts[0].var(axis=0))
    np.testing.assert_allclose(np.mean(ratios, axis=0), 1.0, atol=0.06)


def test_intervals_from_groups_are_as_wide_as_from_images():
    """Over 40 data sets with heavy tails, where 300 groups may move each width by 4 %."""
    names, ratios = ["most", "rare"], []
    for seed in range(40):
        counts = unequal_matrices(3000, seed)
        plain = intervals(counts, names, seed, 300)
        with mock.patch.object(bootstrap, "RANDOM_GROUPS", 300):
            of_groups = intervals(counts, names, seed, 300)
        ratios.append([np.diff(of_groups[key])[0] / np.diff(plain[key])[0] for key in plain])
    np.testing.assert_allclose(np.mean(ratios, axis=0), 1.0, atol=0.03)


@pytest.mark.parametrize("metric", [mean_iou, pixel_accuracy])
def test_95_percent_intervals_from_groups_hold_the_truth_in_about_95_of_100_data_sets(metric):
    truth = metric(unequal_matrices(1_000_000, 99).sum(axis=0))
    held = 0
    for seed in range(200):
        with mock.patch.object(bootstrap, "RANDOM_GROUPS", 100):
            low, high = interval(unequal_matrices(1000, seed), metric, seed=10_000 + seed, resamples=400)
        held += low <= truth <= high
    assert 176 <= held <= 198
