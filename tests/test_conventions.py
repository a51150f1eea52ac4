"""Every convention worked by hand on one set of predictions, and the ties between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import jaccard_score

from maskline.evaluation.tables import size_rows
from maskline.metrics.conventions import MEANINGS, conventions
from maskline.metrics.scores import summary
from maskline.metrics.sizes import SIZES, iou_by_size

# Three images of four classes. Class 3 is nowhere; class 2 is in the truth of the last image only, and predicted once
# in the first.
MATRICES = np.array(
    [
        [[6, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        [[2, 0, 0, 0], [2, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 7, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]],
    ]
)
VOID_PIXELS = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 2]])
# IoU of the classes in each image
FIRST, SECOND, THIRD = (6 / 8, 0.0, 0.0), (2 / 4, 4 / 6), (7 / 8, 2 / 3)


def mean(*values):
    return sum(values) / len(values)


HAND_WORKED = {
    "mean_iou.data_set": mean(8 / 12, 11 / 15, 2 / 4),
    "mean_iou.data_set_absent_0": (8 / 12 + 11 / 15 + 2 / 4) / 4,
    "mean_iou.data_set_with_void": mean(8 / 13, 11 / 15, 2 / 5, 0.0),
    "mean_iou.per_batch": mean(mean(8 / 12, 4 / 7, 0.0), mean(*THIRD)),
    "mean_iou.per_batch_absent_1": mean((8 / 12 + 4 / 7 + 0.0 + 1) / 4, (7 / 8 + 2 / 3 + 2) / 4),
    "mean_iou.per_image": mean(mean(*FIRST), mean(*SECOND), mean(*THIRD)),
    "mean_iou.per_image_true_classes": mean(6 / 8, mean(*SECOND), mean(*THIRD)),
    "mean_iou.per_class_over_images": mean(mean(6 / 8, 2 / 4), mean(4 / 6, 7 / 8), 2 / 3),
    "mean_iou.per_image_and_class": mean(*FIRST, *SECOND, *THIRD),
    "mean_iou.per_image_absent_0": mean(sum(FIRST) / 4, sum(SECOND) / 4, sum(THIRD) / 4),
    "mean_iou.per_image_absent_1": mean((sum(FIRST) + 1) / 4, (sum(SECOND) + 2) / 4, (sum(THIRD) + 2) / 4),
    "micro_iou.data_set": 21 / (21 + 5 + 5),
    "pixel_accuracy.data_set": 21 / 26,
    "pixel_accuracy.data_set_with_void": 21 / 30,
    "pixel_accuracy.per_batch": mean(12 / 16, 9 / 10),
    "pixel_accuracy.per_image": mean(6 / 8, 6 / 8, 9 / 10),
}


def test_hand_worked_case():
    figures = conventions(MATRICES, VOID_PIXELS, batch_size=2)
    assert list(figures) == list(MEANINGS) == list(HAND_WORKED)
    assert figures == pytest.approx(HAND_WORKED, abs=1e-6)
    assert len(set(figures.values())) == len(figures)  # so that no two could be mistaken for each other


COUNTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 5), st.just(3), st.just(3)), elements=st.integers(0, 9))


@given(COUNTS, st.integers(1, 6))
def test_ties_between_the_conventions(matrices, batch_size):
    void = np.zeros((len(matrices), 3), np.int64)
    figures = conventions(matrices, void, batch_size)
    headlines = summary(matrices, ["a", "b", "c"])
    assert figures["mean_iou.data_set"] == figures["mean_iou.data_set_with_void"] == headlines["mean_iou"]
    assert figures["pixel_accuracy.data_set"] == headlines["pixel_accuracy"]
    of_one = conventions(matrices, void, 1)
    assert of_one["mean_iou.per_batch"] == figures["mean_iou.per_image"]
    assert of_one["mean_iou.per_batch_absent_1"] == figures["mean_iou.per_image_absent_1"]
    assert conventions(matrices, void, len(matrices))["mean_iou.per_batch"] == headlines["mean_iou"]


@given(COUNTS)
def test_absent_as_0_is_scikit_learns_macro_average(matrices):
    assert_scikit_learns(matrices, "mean_iou.data_set_absent_0", "macro")


@given(COUNTS)
def test_micro_iou_is_scikit_learns_micro_average(matrices):
    assert_scikit_learns(matrices, "micro_iou.data_set", "micro")


def assert_scikit_learns(matrices, convention, average):
    total = matrices.sum(axis=0)
    if total.any():
        truth, prediction = (np.repeat(index.ravel(), total.ravel()) for index in np.indices(total.shape))
        expected = jaccard_score(truth, prediction, labels=range(3), average=average, zero_division=0)
        figures = conventions(matrices, np.zeros((len(matrices), 3), np.int64), 2)
        assert figures[convention] == pytest.approx(expected, abs=1e-6)


def test_an_image_without_valid_pixels_is_left_out_of_means():
    matrices = np.stack([MATRICES[0], np.zeros((4, 4), np.int64)])
    void = np.array([[0, 0, 0, 0], [8, 0, 0, 0]])
    figures = conventions(matrices, void, 1)
    alone = conventions(matrices[:1], void[:1], 1)
    for name in ("mean_iou.per_image", "mean_iou.per_batch", "pixel_accuracy.per_image", "mean_iou.data_set"):
        assert figures[name] == alone[name]
    assert conventions(matrices[1:], void[1:], 1)["mean_iou.per_image"] is None


def test_iou_by_size_by_hand():
    # Class b covers 0.9, 1, 10 and 10.1 % of images of 1000 pixels, and is missed by half; and is nowhere in the last.
    matrices = np.zeros((5, 2, 2), np.int64)
    for matrix, pixels in zip(matrices, (9, 10, 100, 101, 0), strict=True):
        matrix[1] = pixels // 2, pixels - pixels // 2
        matrix[0] = 1000 - pixels, 0
    matrices[4] = [[900, 100], [0, 0]]
    images, ious = iou_by_size(matrices)
    rows = size_rows(matrices, ["a", "b"])
    assert [row.name for row in rows] == ["a"] * 3 + ["b"] * 3
    assert [row.size for row in rows] == list(SIZES) * 2
    assert [row.images for row in rows] == images.ravel().tolist() == [0, 0, 5, 1, 2, 1]
    hits = 991 + 990 + 900 + 899 + 900
    expected = [np.nan, np.nan, hits / (hits + 4 + 5 + 50 + 50 + 100), 5 / 9, 55 / 110, 51 / 101]
    np.testing.assert_allclose(ious.ravel(), expected)
    assert [row.iou for row in rows] == [None if np.isnan(value) else float(np.round(value, 6)) for value in expected]
