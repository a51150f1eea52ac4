"""Annotated shapes cover the pixels that pycocotools gives them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_masks

from maskline.contracts.rle import as_text, class_runs, from_text
from maskline.datasets.formats.shapes import boxed_run_lengths, ellipse, pixels, polygon, run_lengths, turn

HEIGHT, WIDTH = 23, 31


def mask(runs: np.ndarray, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return bool [H, W] of runs, column by column."""
    assert runs.sum() == height * width and (runs >= 0).all()
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def theirs(points: list[float], height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    (encoded,) = coco_masks.frPyObjects([points], height, width)
    return coco_masks.decode(encoded).astype(bool)


def coordinates(low: float, high: float) -> st.SearchStrategy[float]:
    """Return numbers that include halves and tenths, where rounding decides."""
    exact = st.integers(int(low * 10), int(high * 10)).map(lambda value: value / 10)
    return exact | st.floats(low, high, allow_nan=False)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(coordinates(-WIDTH, 2 * WIDTH), coordinates(-HEIGHT, 2 * HEIGHT)), min_size=3, max_size=12))
def test_polygons_are_those_of_pycocotools(points):
    flat = [value for point in points for value in point]
    np.testing.assert_array_equal(mask(polygon(flat)(HEIGHT, WIDTH)), theirs(flat))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, WIDTH), st.integers(0, HEIGHT)), min_size=3, max_size=20))
def test_polygons_of_whole_pixels_are_those_of_pycocotools(points):
    flat = [float(value) for point in points for value in point]
    np.testing.assert_array_equal(mask(polygon(flat)(HEIGHT, WIDTH)), theirs(flat))


@pytest.mark.parametrize("corners", [300, 2000])
def test_long_polygons_are_those_of_pycocotools(corners):
    rng = np.random.default_rng(corners)
    flat = rng.uniform(0, 200, 2 * corners).round(2).tolist()
    np.testing.assert_array_equal(mask(polygon(flat)(180, 240), 180, 240), theirs(flat, 180, 240))


def masks() -> st.SearchStrategy[np.ndarray]:
    return st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**144 - 1)).map(
        lambda drawn: np.array([drawn[2] >> i & 1 for i in range(drawn[0] * drawn[1])], bool).reshape(drawn[:2])
    )


@settings(max_examples=200, deadline=None)
@given(masks())
def test_run_lengths_are_those_of_pycocotools(drawn):
    encoded = coco_masks.encode(np.asfortranarray(drawn.astype(np.uint8)))
    size = drawn.shape
    text = encoded["counts"].decode()
    runs = class_runs(drawn.astype(np.uint8), 2)[1]
    np.testing.assert_array_equal(from_text(text), runs)
    assert as_text(runs) == text
    for counts in (text, runs.tolist()):
        np.testing.assert_array_equal(mask(run_lengths(counts, size)(*size), *size), drawn)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9))
def test_the_text_of_run_lengths_is_read_back(values):
    assert from_text(as_text(np.array(values, np.int64))).tolist() == values


@pytest.mark.parametrize("text", ["", "é", "~", "P", "oooooooooo1", " ", "o"])
def test_damaged_text_of_run_lengths_is_refused(text):
    with pytest.raises(ValueError, match="run length"):
        from_text(text)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (run_lengths([4], (2, 2)), "2 x 2"),
        (run_lengths([4, 5], (HEIGHT, WIDTH)), "9 pixels"),
        (run_lengths([HEIGHT * WIDTH + 3, -3], (HEIGHT, WIDTH)), "run lengths"),
        (run_lengths("~~", (HEIGHT, WIDTH)), "COCO's text"),
        (polygon([0, 0, 5, 1e9, 5, 5]), "far outside"),
        (polygon([0, 0, 5, float("nan"), 5, 5]), "far outside"),
        (boxed_run_lengths([3, 3], 0, 0, 2, 2), "2 x 2"),
        (boxed_run_lengths([3, 10**12], 0, 0, 10**6, 10**6), "not in the image"),
        (boxed_run_lengths([10**30, 3], 0, 0, 2, 2), "2 x 2"),
        (run_lengths([10**30, 3], (HEIGHT, WIDTH)), "run lengths"),
        (boxed_run_lengths([0, 4], WIDTH - 1, 0, 2, 2), "not in the image"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape, words):
    with pytest.raises(ValueError, match=words):
        shape(HEIGHT, WIDTH)


def test_an_odd_coordinate_is_refused():
    with pytest.raises(ValueError, match="pairs"):
        polygon([1, 2, 3, 4, 5])


def test_a_polygon_outside_has_no_pixel():
    assert pixels(polygon([WIDTH + 1, 0, WIDTH + 9, 0, WIDTH + 9, 9])(HEIGHT, WIDTH)) == 0


def test_a_circle_covers_its_pixels():
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    wanted = (x - 12) ** 2 + (y - 11) ** 2 <= 8**2
    assert (mask(ellipse(12, 11, 8, 8)(HEIGHT, WIDTH)) ^ wanted).mean() < 0.02


def test_an_ellipse_turns_clockwise():
    tall = mask(ellipse(12, 11, 9, 3, 90)(HEIGHT, WIDTH))
    assert tall[3, 12] and not tall[11, 4]
    np.testing.assert_allclose(turn(np.array([[1.0, 0.0]]), 90), [[0.0, 1.0]], atol=1e-12)


def test_run_lengths_in_a_box_go_row_by_row():
    drawn = mask(boxed_run_lengths([1, 2, 3], 4, 5, 3, 2)(HEIGHT, WIDTH))
    assert np.argwhere(drawn).tolist() == [[5, 5], [5, 6]]
