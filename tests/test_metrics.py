"""Metrics against scikit-learn, against cases worked by hand, and under void and absent classes."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    jaccard_score,
    precision_score,
    recall_score,
)
from sklearn.metrics import confusion_matrix as oracle_matrix

from maskline.contracts.classes import VOID
from maskline.metrics.confusion import confusion_matrices
from maskline.metrics.scores import (
    HEADLINES,
    dice,
    frequency_weighted_iou,
    iou,
    mean_over_classes,
    pixel_accuracy,
    precision,
    recall,
    summary,
)

C = 4
LABELS = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    elements=st.sampled_from([0, 1, 2, 3, VOID]),
)


@st.composite
def truth_and_prediction(draw):
    truth = draw(LABELS)
    return truth, draw(hnp.arrays(np.uint8, truth.shape, elements=st.integers(0, C - 1)))


@given(truth_and_prediction())
def test_matrices_count_as_scikit_learn_does(pair):
    truth, prediction = pair
    counted = confusion_matrices(truth, prediction, C)
    for one, labels, predicted in zip(counted, truth, prediction, strict=True):
        valid = labels != VOID
        expected = oracle_matrix(labels[valid], predicted[valid], labels=range(C)) if valid.any() else np.zeros((C, C))
        np.testing.assert_array_equal(one, expected)


@given(truth_and_prediction())
def test_metrics_equal_scikit_learn(pair):
    truth, prediction = pair
    valid = truth != VOID
    if not valid.any():
        return
    matrix = confusion_matrices(truth, prediction, C).sum(axis=0)
    y, p = truth[valid], prediction[valid]
    truth_shows, predicted_shows = matrix.sum(axis=1) > 0, matrix.sum(axis=0) > 0
    either = truth_shows | predicted_shows
    for ours, oracle, defined in (
        (iou, jaccard_score, either),
        (dice, f1_score, either),
        (precision, precision_score, predicted_shows),
        (recall, recall_score, truth_shows),
    ):
        expected = oracle(y, p, labels=range(C), average=None, zero_division=0)
        np.testing.assert_allclose(ours(matrix), np.where(defined, expected, np.nan))
    assert pixel_accuracy(matrix) == pytest.approx(accuracy_score(y, p))
    weighted = jaccard_score(y, p, average="weighted", zero_division=0)
    assert frequency_weighted_iou(matrix) == pytest.approx(weighted)
    with warnings.catch_warnings(action="ignore"):
        assert mean_over_classes(recall(matrix)) == pytest.approx(balanced_accuracy_score(y, p))


def test_hand_worked_case():
    matrix = np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])  # class 2 is nowhere
    np.testing.assert_allclose(iou(matrix), [3 / 4, 2 / 3, np.nan])
    np.testing.assert_allclose(dice(matrix), [6 / 7, 4 / 5, np.nan])
    assert mean_over_classes(iou(matrix)) == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert frequency_weighted_iou(matrix) == pytest.approx((4 * 3 / 4 + 2 * 2 / 3) / 6)
    assert pixel_accuracy(matrix) == pytest.approx(5 / 6)


def test_a_class_that_is_only_predicted_has_iou_zero_and_counts():
    matrix = np.array([[4, 1], [0, 0]])
    np.testing.assert_allclose(iou(matrix), [4 / 5, 0.0])
    assert mean_over_classes(iou(matrix)) == pytest.approx(2 / 5)
    assert np.isnan(recall(matrix)[1])


def test_nothing_valid_is_nan_not_an_error():
    assert np.isnan(mean_over_classes(iou(np.zeros((C, C), int))))
    assert np.isnan(pixel_accuracy(np.zeros((C, C), int)))


@given(hnp.arrays(np.int64, (3, C, C), elements=st.integers(0, 3)))
def test_headlines_of_many_matrices_are_those_of_each(matrices):
    for name, metric in HEADLINES.items():
        each = [summary(matrix[None], "abcd")[name] for matrix in matrices]
        np.testing.assert_allclose(metric(matrices), np.array(each, float), atol=1e-6)


def test_summary_is_of_the_data_set_not_of_the_images():
    sure, poor = np.array([[90, 0], [0, 10]]), np.array([[0, 5], [0, 5]])
    figures = summary(np.stack([sure, poor]), ["a", "b"])
    total = sure + poor
    assert figures["mean_iou"] == round(float(mean_over_classes(iou(total))), 6)
    assert figures["mean_iou"] != round(float(np.mean([mean_over_classes(iou(m)) for m in (sure, poor)])), 6)
    assert figures["images"] == 2
    assert figures["pixels.b"] == 15
    assert figures["iou.a"] == round(90 / 95, 6)


def test_summary_says_none_for_an_absent_class():
    figures = summary(np.array([[[5, 0], [0, 0]]]), ["a", "b"])
    assert figures["iou.b"] is None
    assert figures["mean_iou"] == 1.0
