"""Boundary IoU and trimap accuracy against a pixel-by-pixel statement of their definitions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskline.contracts.classes import VOID
from maskline.metrics.boundary import boundary_counts, boundary_iou, trimap_accuracy, trimap_counts

C = 3


@st.composite
def truth_and_prediction(draw):
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    truth = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, VOID])))
    return truth, draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, C - 1)))


def neighbours(labels, row, column, distance):
    """The labels within the distance of a pixel, None for those beyond the image's edge."""
    height, width = labels.shape
    for y in range(row - distance, row + distance + 1):
        for x in range(column - distance, column + distance + 1):
            yield labels[y, x] if 0 <= y < height and 0 <= x < width else None


def band(labels, distance, edge):
    """The valid pixels that have another class within the distance, or the image's edge where that counts."""
    out = np.zeros(labels.shape, bool)
    for row, column in np.argwhere(labels != VOID):
        own, around = labels[row, column], set(neighbours(labels, row, column, distance))
        out[row, column] = (edge and None in around) or bool(around - {own, VOID, None})
    return out


@given(truth_and_prediction(), st.sampled_from([0.02, 0.2, 0.5]))
def test_boundary_counts_follow_the_definition(pair, width):
    truth, prediction = pair
    distance = max(1, round(width * np.hypot(*truth.shape)))
    seen = np.where(truth == VOID, VOID, prediction)
    true_band, predicted_band = band(truth, distance, edge=True), band(seen, distance, edge=True)
    counted = boundary_counts(truth, prediction, C, width)
    assert counted.dtype == np.int64
    for label in range(C):
        of_truth, of_prediction = true_band & (truth == label), predicted_band & (seen == label)
        expected = [of_truth.sum(), of_prediction.sum(), (of_truth & of_prediction).sum()]
        assert counted[label].tolist() == expected


@given(truth_and_prediction(), st.lists(st.integers(1, 12), min_size=1, max_size=3))
def test_trimap_counts_follow_the_definition(pair, distances):
    truth, prediction = pair
    counted = trimap_counts(truth, prediction, distances)
    assert counted.dtype == np.int64
    for (pixels, right), distance in zip(counted, distances, strict=True):
        near = band(truth, distance, edge=False)
        assert (pixels, right) == (near.sum(), (near & (truth == prediction)).sum())


def test_boundary_iou_by_hand():
    # Two halves of 20x20; the prediction's border lies one pixel to the right. The band is 1 pixel wide.
    truth, prediction = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    truth[:, 10:] = prediction[:, 11:] = 1
    counted = boundary_counts(truth, prediction, 2)
    # A frame of h x w is 2 (h + w) - 4. Frames share all but their upright side at the border, of which two pixels lie
    # on the edge that both have: class 0 has 20x10 and 20x11, class 1 20x10 and 20x9.
    assert counted.tolist() == [[56, 58, 38], [56, 54, 36]]
    np.testing.assert_allclose(boundary_iou(counted), [38 / (56 + 58 - 38), 36 / (56 + 54 - 36)])


def test_the_band_is_a_share_of_the_diagonal():
    truth = np.zeros((300, 400), np.uint8)
    frame = 300 * 400 - 280 * 380  # 2 % of a diagonal of 500 are 10 pixels
    assert boundary_counts(truth, truth, 1).tolist() == [[frame] * 3]
    assert boundary_counts(truth, truth, 1, width=0.0092).tolist() == [[300 * 400 - 290 * 390] * 3]  # 4.6


def test_boundary_iou_of_a_class_that_is_nowhere_is_nan_and_of_a_false_one_0():
    truth, prediction = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    prediction[2:4, 2:4] = 1
    values = boundary_iou(boundary_counts(truth, prediction, 3))
    assert values[1] == 0.0
    assert np.isnan(values[2])


def test_counts_add_up_over_images():
    counts = np.array([[[4, 4, 2]], [[6, 4, 4]]])
    np.testing.assert_allclose(boundary_iou(counts)[:, 0], [2 / 6, 4 / 6])
    np.testing.assert_allclose(boundary_iou(counts.sum(axis=0)), [6 / 12])
    np.testing.assert_allclose(trimap_accuracy(np.array([[4, 1], [0, 0]])), [0.25, np.nan])


def test_void_has_no_border_but_hides_none_either():
    truth = np.zeros((1, 9), np.uint8)
    truth[0, 4:] = VOID
    assert trimap_counts(truth, truth, [8]).tolist() == [[0, 0]]
    truth[0, 5:] = 1  # one void pixel between the classes: the nearest pair is 2 apart
    prediction = np.where(truth == VOID, 2, truth).astype(np.uint8)
    assert trimap_counts(truth, prediction, [1, 2, 3]).tolist() == [[0, 0], [2, 2], [4, 4]]
    assert boundary_counts(truth, prediction, 3)[2].tolist() == [0, 0, 0]


def test_far_from_the_border_all_is_right():
    truth, prediction = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    truth[:, 20:] = prediction[:, 22:] = 1  # two columns of 40 are wrong
    assert trimap_counts(truth, prediction).tolist() == [[80, 40], [160, 80], [320, 240], [640, 560], [1280, 1200]]
