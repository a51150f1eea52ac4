"""Calibration against scikit-learn and a case worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import calibration_curve

from maskline.contracts.classes import VOID
from maskline.metrics.calibration import bin_middles, calibration_counts, expected_calibration_error, reliability

C = 4


@st.composite
def predicted(draw):
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    truth = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 3, VOID])))
    prediction = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, C - 1)))
    seed = draw(st.integers(0, 1000))  # not drawn by hypothesis, whose favourites lie on the bins' edges
    return truth, prediction, np.random.default_rng(seed).uniform(1 / C, 1.0, shape).astype(np.float32)


@given(predicted(), st.sampled_from([1, 2, 15, 40]))
def test_bins_equal_scikit_learn(case, bins):
    truth, prediction, confidence = case
    counts, sums = calibration_counts(truth, prediction, confidence, bins)
    valid = truth != VOID
    assert (counts.dtype, sums.dtype, counts.shape, sums.shape) == (np.int64, np.float64, (bins, 2), (bins,))
    assert counts[:, 0].sum() == valid.sum()
    assert sums.sum() == pytest.approx(confidence[valid].sum(dtype=np.float64))
    if valid.any():
        accuracy, mean = calibration_curve((truth == prediction)[valid], confidence[valid], n_bins=bins)
        full = counts[:, 0] > 0
        np.testing.assert_allclose(counts[full, 1] / counts[full, 0], accuracy)
        np.testing.assert_allclose(sums[full] / counts[full, 0], mean)


@given(predicted())
def test_error_is_the_mean_gap_over_pixels(case):
    truth, prediction, confidence = case
    counts, sums = calibration_counts(truth, prediction, confidence)
    valid = truth != VOID
    bins = np.ceil(confidence[valid] * 15).astype(int)
    gaps = [
        abs(np.mean((truth == prediction)[valid][bins == b]) - np.mean(confidence[valid][bins == b], dtype=np.float64))
        for b in bins
    ]
    expected = np.mean(gaps) if gaps else np.nan
    np.testing.assert_allclose(expected_calibration_error(counts, sums), expected, rtol=1e-6)


@given(predicted(), st.sampled_from([1, 2, 15, 40]), st.floats(0, 1))
def test_every_valid_pixel_is_counted(case, bins, level):
    truth, prediction, _ = case
    counts, sums = calibration_counts(truth, prediction, np.full(truth.shape, level, np.float32), bins)
    valid = truth != VOID
    assert counts[:, 0].sum() == valid.sum()
    assert counts[:, 1].sum() == (truth == prediction)[valid].sum()
    assert sums.sum() == pytest.approx(np.float32(level) * valid.sum())


def test_a_pixel_without_confidence_is_in_the_first_bin():
    truth, confidence = np.array([[0, 0, 1, VOID]], np.uint8), np.array([[0.0, 0.3, 1.0, 0.0]], np.float32)
    counts, _ = calibration_counts(truth, np.zeros_like(truth), confidence, bins=4)
    assert counts.tolist() == [[1, 1], [1, 1], [0, 0], [1, 0]]


def test_hand_worked_case():
    truth = np.array([[0, 0, 0, 0, VOID]], np.uint8)
    prediction = np.array([[0, 0, 1, 1, 0]], np.uint8)
    confidence = np.array([[1.0, 0.75, 0.75, 0.5, 1.0]], np.float32)
    counts, sums = calibration_counts(truth, prediction, confidence, bins=4)
    assert counts.tolist() == [[0, 0], [1, 0], [2, 1], [1, 1]]  # an edge belongs to the bin below it
    assert sums.tolist() == [0.0, 0.5, 1.5, 1.0]
    assert expected_calibration_error(counts, sums) == pytest.approx((0.5 + 2 * 0.25 + 0.0) / 4)
    assert bin_middles(4).tolist() == [0.125, 0.375, 0.625, 0.875]
    mean_confidence, accuracy = reliability(counts, sums)
    np.testing.assert_allclose(mean_confidence, [np.nan, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(accuracy, [np.nan, 0.0, 0.5, 1.0])


def test_errors_are_of_any_leading_shape():
    counts = np.array([[[2, 1], [2, 2]], [[0, 0], [0, 0]]])
    values = expected_calibration_error(counts, np.array([[1.5, 2.0], [0.0, 0.0]]))
    np.testing.assert_allclose(values, [0.5 / 4, np.nan])


def test_a_hair_above_1_is_1_and_nan_is_refused():
    zeros = np.zeros((1, 1), np.uint8)
    counts, _ = calibration_counts(zeros, zeros, np.array([[1.0000002]], np.float32))
    assert counts.tolist() == [[0, 0]] * 14 + [[1, 1]]
    for truth in (zeros, zeros + np.uint8(VOID)):
        with pytest.raises(ValueError, match="Received: nan"):
            calibration_counts(truth, zeros, np.array([[np.nan]], np.float32))
