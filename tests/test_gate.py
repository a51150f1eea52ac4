"""The gate of exported files: what it counts, and what it lets pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.comparison.compare import Result
from maskline.export.check import Refused, passed
from maskline.export.gate import Limits, falls, score

NAMES = ["sky", "tree", "crème brûlée"]


def result(matrices, name="a") -> Result:
    files = np.array([f"{i}.png" for i in range(len(matrices))])
    return Result(name, files, np.asarray(matrices, np.int64), NAMES, "0" * 64, "model")


def matrices_of(truth, wrong):
    """Confusion matrices of one image: pixels of each class, of which `wrong` are taken for the next class."""
    matrix = np.diag(truth).astype(np.int64)
    for label, pixels in enumerate(wrong):
        matrix[label, label] -= pixels
        matrix[label, (label + 1) % 3] += pixels
    return matrix[None]


BEFORE = result(matrices_of([10_000, 10_000, 100], [0, 0, 0]))


def test_a_small_fall_passes_and_gives_the_comparison():
    comparison = passed("file", BEFORE, result(matrices_of([10_000, 10_000, 100], [3, 0, 0]), "b"), Limits())
    assert comparison.rows[2].metric == "mean_iou" and comparison.rows[2].difference < 0


def test_a_rare_class_that_vanishes_is_named():
    """It moves pixel accuracy by 0.0002."""
    after = result(matrices_of([10_000, 10_000, 100], [0, 0, 5]), "b")
    with pytest.raises(
        Refused, match=r"^out.onnx does not score as a does: .*the IoU of crème brûlée falls from 1"
    ) as e:
        passed("out.onnx", BEFORE, after, Limits())
    assert e.value.comparison.rows[-1].metric == "iou.crème brûlée"


def test_limits_are_the_users():
    after = result(matrices_of([10_000, 10_000, 100], [0, 0, 5]), "b")
    assert falls(BEFORE, after, Limits(drop=0.05, class_drop=0.06)) == []
    assert len(falls(BEFORE, after, Limits(drop=0.0, class_drop=0.06))) == 1


def test_a_class_that_was_only_ever_predicted_does_not_count():
    """It is absent from the truth: its IoU is 0 before, and it has none after."""
    before = result(matrices_of([100, 100, 0], [0, 10, 0]))
    after = result(matrices_of([100, 100, 0], [0, 0, 0]), "b")
    assert falls(before, after, Limits()) == []


@given(st.lists(st.integers(0, 50), min_size=18, max_size=18))
def test_a_result_never_falls_below_itself(cells):
    same = result(np.array(cells).reshape(2, 3, 3))
    assert falls(same, same, Limits(0.0, 0.0)) == []


def test_the_score_is_that_of_all_images():
    found = score(result(np.concatenate([matrices_of([100, 100, 0], [10, 0, 0]), matrices_of([50, 50, 0], [0, 0, 0])])))
    assert found.images == 2
    assert found.iou == {"sky": 0.933333, "tree": 0.9375, "crème brûlée": None}
    assert found.mean_iou == pytest.approx((140 / 150 + 0.9375) / 2, abs=1e-6)
