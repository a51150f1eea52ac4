"""GrabCut moves borders to where the colours change, keeps what it cannot cut, and gives the same labels always."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.prediction.refine import grabcut as module
from maskline.prediction.refine.grabcut import GrabCutParams, refined_by_grabcut


def square_on_ground(seed=0):
    """A red square of 16 pixels on green ground, some noise in the colours, and its labels."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((40, 48), np.uint8)
    truth[12:28, 16:32] = 1
    image = np.where(truth[..., None] == 1, (190, 40, 50), (60, 160, 70)) + rng.integers(-15, 16, (40, 48, 3))
    return image.astype(np.uint8), truth


def probabilities_of(labels, classes, certainty=0.8):
    rest = (1 - certainty) / (classes - 1)
    return np.where(labels[..., None] == np.arange(classes), certainty, rest).astype(np.float32)


def unsure_towards_borders(labels, classes):
    """Probabilities that are smoothed over the borders."""
    return cv2.blur(probabilities_of(labels, classes, 0.95), (7, 7), borderType=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("shift", [(2, 0), (0, -2), (1, 2)])
def test_a_border_beside_the_colours_edge_moves_onto_it(shift):
    image, truth = square_on_ground()
    probabilities = unsure_towards_borders(np.roll(truth, shift, axis=(0, 1)), 2)
    before = (probabilities.argmax(axis=-1) != truth).sum()
    refined = refined_by_grabcut(image, probabilities, GrabCutParams(band=4, iterations=2))
    assert refined.dtype == np.uint8
    assert before > 40
    assert (refined != truth).sum() <= before / 4


def test_pixels_beyond_the_band_stay():
    image, truth = square_on_ground()
    predicted = np.zeros_like(truth)
    predicted[2:38, 2:24] = 1
    refined = refined_by_grabcut(image, unsure_towards_borders(predicted, 2), GrabCutParams(band=2, iterations=2))
    changed = refined != unsure_towards_borders(predicted, 2).argmax(axis=-1)
    near = cv2.dilate(predicted, np.ones((7, 7))) != cv2.erode(predicted, np.ones((7, 7)))
    assert changed.any()
    assert not changed[~near].any()


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 4))
def test_no_class_vanishes(seed, classes, band):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (9, 11, 3), np.uint8)
    probabilities = rng.dirichlet(np.ones(classes), (9, 11)).astype(np.float32)
    refined = refined_by_grabcut(image, probabilities, GrabCutParams(band, 1))
    np.testing.assert_array_equal(np.unique(refined), np.unique(probabilities.argmax(axis=-1)))


def test_one_class_everywhere_and_one_pixel_stay():
    image, truth = square_on_ground()
    everywhere = probabilities_of(np.ones_like(truth), 3)
    np.testing.assert_array_equal(refined_by_grabcut(image, everywhere, GrabCutParams()), 1)
    truth[0, 0] = 2
    assert refined_by_grabcut(image, probabilities_of(truth, 3), GrabCutParams())[0, 0] == 2


def test_a_class_that_cannot_be_cut_keeps_its_pixels(monkeypatch):
    def refuse(*_):
        raise cv2.error("no samples")

    image, truth = square_on_ground()
    probabilities = unsure_towards_borders(np.roll(truth, 2, axis=0), 2)
    assert (refined_by_grabcut(image, probabilities, GrabCutParams()) != probabilities.argmax(axis=-1)).any()
    monkeypatch.setattr(module.cv2, "grabCut", refuse)
    np.testing.assert_array_equal(
        refined_by_grabcut(image, probabilities, GrabCutParams()), probabilities.argmax(axis=-1)
    )


def test_the_same_labels_whatever_was_drawn_before():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (30, 30, 3), np.uint8)
    probabilities = cv2.blur(rng.dirichlet(np.ones(3) / 3, (30, 30)).astype(np.float32), (9, 9))
    found = []
    for seed in range(5):
        cv2.setRNGSeed(seed)
        cv2.randu(np.zeros(seed + 1), 0, 1)
        found.append(refined_by_grabcut(image, probabilities, GrabCutParams(5, 2)).tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("height", "expected"),
    [
        (1, "far near sure sure sure probable probable near far"),
        (7, "far near sure sure sure sure probable near far"),
    ],
)
def test_seeds_by_hand(height, expected):
    """The middle row of a thin strip, whose surer half is sure, and of a thick one, where what lies inside is too."""
    region = np.zeros((9, 9), bool)
    region[1 : 1 + height, 2:7] = True
    probability = np.tile([0.1, 0.1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.1, 0.1], (9, 1))
    mask = module._seeds(region, probability, band=1)
    meant = {"far": cv2.GC_BGD, "near": cv2.GC_PR_BGD, "probable": cv2.GC_PR_FGD, "sure": cv2.GC_FGD}
    assert mask[(1 + height) // 2].tolist() == [meant[word] for word in expected.split()]


def test_a_border_moves_no_further_than_the_band():
    image, truth = square_on_ground()
    probabilities = unsure_towards_borders(np.roll(truth, 2, axis=(0, 1)), 2)
    wrong = [(refined_by_grabcut(image, probabilities, GrabCutParams(band)) != truth).sum() for band in (1, 4)]
    assert wrong[0] > wrong[1] + 20


def test_the_colours_are_fitted_as_often_as_asked(monkeypatch):
    """Once more seldom changes a label, so that the call itself is looked at."""
    asked = []
    monkeypatch.setattr(module.cv2, "grabCut", lambda *arguments: asked.append(arguments[5]))
    image, truth = square_on_ground()
    refined_by_grabcut(image, probabilities_of(truth, 2), GrabCutParams(iterations=7))
    assert asked == [7, 7]
