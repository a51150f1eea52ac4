"""The comparison of two models: figures by hand, and verdicts by simulation."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import EASY, NAMES, SPREAD, simulated, truths

from maskline.comparison.compare import CONFIDENCE, Result, compare
from maskline.comparison.text import as_json, as_markdown, as_text
from maskline.errors import InputError
from maskline.metrics.scores import summary


def counts(matrices, name="a", classes=NAMES):
    filenames = np.array([f"{i:03d} é.png" for i in range(len(matrices))])
    return Result(name, filenames, np.asarray(matrices), list(classes), "1" * 64, "model")


def pair_of_models(seed, images=40, gain=0.0):
    """Return two models' counts on the same images: what is hard is hard for both, B better by `gain`."""
    rng = np.random.default_rng(seed)
    truth, accuracy = truths(images, rng), rng.normal(EASY, SPREAD, images)
    first, second = (simulated(truth, accuracy + more + rng.normal(0, 0.02, images), rng) for more in (0, gain))
    return counts(first), counts(second, "b")


def row(comparison, metric):
    return next(row for row in comparison.rows if row.metric == metric)


def test_models_of_other_sizes_are_compared_where_images_are_scored_at_their_own_size():
    a, b = (model._replace(resolution="native") for model in pair_of_models(1))
    assert compare(a, b._replace(test_split="2" * 64), 100, 1) == compare(a, b, 100, 1)


def test_the_figures_are_those_of_evaluation_json():
    a, b = pair_of_models(1)
    first, second = (summary(model.matrices, NAMES) for model in (a, b))
    comparison = compare(a, b, 100, 1)
    assert [row.metric for row in comparison.rows] == [
        "pixel_accuracy", "mean_accuracy", "mean_iou", "mean_dice", "frequency_weighted_iou",
        "iou.sky", "iou.tree", "iou.crème brûlée",
    ]  # fmt: skip
    for found in comparison.rows:
        assert round(found.a, 6) == first[found.metric]
        assert round(found.b, 6) == second[found.metric]
        assert found.difference == pytest.approx(found.b - found.a)


def test_a_p_value_is_never_nought():
    a, b = pair_of_models(1, gain=0.15)
    assert row(compare(a, b, 1999, 1), "pixel_accuracy").p_value == 1 / 2000


def test_seed_and_resamples_count():
    a, b = pair_of_models(2)
    comparison = compare(a, b, 300, 5)
    assert compare(a, b, 300, 5) == comparison
    assert row(compare(a, b, 300, 6), "mean_iou").low != row(comparison, "mean_iou").low
    assert row(compare(a, b, 301, 5), "mean_iou").p_value != row(comparison, "mean_iou").p_value


@given(st.integers(0, 10**6))
def test_exchanged_models_exchange_better_and_worse(seed):
    a, b = pair_of_models(seed, images=12, gain=0.02)
    there, back = compare(a, b, 100, seed).rows, compare(b, a, 100, seed).rows
    opposite = {"better": "worse", "worse": "better", "can't tell": "can't tell"}
    for one, other in zip(there, back, strict=True):
        assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
        assert (one.p_value, opposite[one.verdict]) == (other.p_value, other.verdict)


def test_images_are_paired_by_name_in_any_order():
    a, b = pair_of_models(3)
    order = np.random.default_rng(0).permutation(40)
    shuffled = b._replace(filenames=b.filenames[order], matrices=b.matrices[order])
    assert compare(a, shuffled, 200, 1) == compare(a, b, 200, 1)


@pytest.mark.parametrize("images", [12, 34, 100])
def test_models_alike_can_hardly_ever_be_told_apart(images):
    """Two draws from one distribution: in at most 5 of 100 pairs is any metric called better or worse."""
    pairs, wrong = 500, 0
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        truth = truths(images, rng)
        a, b = (counts(simulated(truth, rng.normal(EASY, SPREAD, images), rng)) for _ in range(2))
        wrong += any(found.verdict != "can't tell" for found in compare(a, b, 400, seed).rows)
    assert 0.025 <= wrong / pairs <= 0.075, "0.095 is a false promise, and a test that never errs has no power"


def test_three_points_over_a_hundred_images_are_found_because_images_are_paired():
    for seed in range(10):
        a, b = pair_of_models(seed, images=100, gain=0.03)
        found = row(compare(a, b, 400, seed), "pixel_accuracy")
        assert found.verdict == "better"
        assert 0 < found.low < 0.03 < found.high < 0.06
        unpaired = b._replace(matrices=simulated(b.matrices.sum(axis=2), np.full(100, EASY), np.random.default_rng(0)))
        wide = row(compare(a, unpaired, 400, seed), "pixel_accuracy")
        assert wide.high - wide.low > 1.5 * (found.high - found.low)


@pytest.mark.parametrize(
    ("differing", "verdict"), [(0, "the same"), (1, "can't tell"), (5, "can't tell"), (6, "better"), (9, "better")]
)
def test_a_handful_of_images_is_no_evidence(differing, verdict):
    """Every one of them speaks for B; chance alone does that once in 2^(n - 1)."""
    poor, good = [[80, 20], [10, 90]], [[90, 10], [10, 90]]
    a = counts([poor] * differing + [good] * (9 - differing), classes=["x", "y"])
    b = counts([good] * 9, "b", classes=["x", "y"])
    for found in compare(a, b, 2000, 1).rows:
        assert (found.verdict, found.images) == (verdict, differing)
        assert found.p_value == min(1.0, 2.0 ** (1 - differing))


@given(st.integers(0, 10**6), st.integers(4, 30))
def test_an_interval_excludes_no_difference_exactly_where_the_verdict_does(seed, images):
    for found in compare(*pair_of_models(seed, images, gain=0.02), 500, seed).rows:
        assert found.low <= found.difference <= found.high
        assert (found.verdict in ("better", "worse")) == (not found.low <= 0 <= found.high)


def test_only_the_class_that_differs_is_told():
    a = counts([[[50, 0, 0], [0, 40, 0], [0, 5, 5]]] * 9)
    b = counts([[[50, 0, 0], [0, 40, 0], [0, 0, 10]]] * 9, "b")
    verdicts = {found.metric: found.verdict for found in compare(a, b, 2000, 1).rows}
    assert verdicts["iou.sky"] == "the same"
    assert verdicts["iou.tree"] == verdicts["iou.crème brûlée"] == verdicts["mean_iou"] == "better"


def test_a_class_without_a_value_is_none_and_untold():
    a = counts([[[5, 1, 0], [1, 5, 0], [0, 0, 0]]] * 8)
    b = counts([[[5, 0, 1], [1, 5, 0], [0, 0, 0]]] * 8, "b")  # only predicted: 0 where A has no value
    comparison = compare(a, b, 100, 1)
    found = row(comparison, "iou.crème brûlée")
    assert np.isnan([found.a, found.difference, found.low, found.high, found.p_value]).all()
    assert (found.b, found.verdict) == (0.0, "can't tell")
    figures = json.loads(as_json(comparison))["metrics"]["iou.crème brûlée"]
    assert figures["a"] is figures["low"] is figures["p_value"] is None
    assert re.search(r"iou\.crème brûlée +none +0\.0000 +none +none +none +can't tell", as_text(comparison))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"classes": ["sky", "tree", "car"]}, "different classes. Received: sky, tree, crème.* and sky, tree, car"),
        ({"filenames": ["x", *(f"{i:03d} é.png" for i in range(1, 40))]},
         r"different images\. Received: 1 images of a alone, 000 é\.png among them and 1 images of b alone, x among"),
        ({"test_split": "12" * 32}, "tested on different data. Received: test splits 1{12} and (12){6}"),
        ({"resolution": "native"}, r"different sizes\. Received: evaluate\.resolution model and native"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_with_the_reason(change, sentence):
    a, b = pair_of_models(1)
    change = {key: np.array(value) if key == "filenames" else value for key, value in change.items()}
    with pytest.raises(InputError, match=f"^a and b .*{sentence}.*; compare revisions that agree in dataset"):
        compare(a, b._replace(**change), 100, 1)


def test_images_of_one_model_alone_are_counted():
    a, b = pair_of_models(1)
    with pytest.raises(InputError, match=r"2 images of a alone, 038 é\.png among them and 0 images of b alone; "):
        compare(a, b._replace(filenames=b.filenames[:38], matrices=b.matrices[:38]), 100, 1)


def test_other_masks_of_the_same_images_are_refused():
    a, b = pair_of_models(1)
    matrices = b.matrices.copy()
    matrices[7, 0, 0] -= 1
    with pytest.raises(InputError, match=r"different masks\. Received: other true pixels in 1 images, 007 é\.png"):
        compare(a, b._replace(matrices=matrices), 100, 1)


def test_text_says_what_was_compared_and_how_to_read_it():
    text = as_text(compare(*pair_of_models(1, gain=0.1), 1000, 9))
    assert text.startswith("A is a, B is b, on 40 test images.")
    assert re.search(
        r"pixel_accuracy +0\.\d{4} +0\.\d{4} +\+0\.\d{4} +\+0\.\d{4} to \+0\.\d{4} +0\.\d{4} +better", text
    )
    assert "1,000 resamples, seed 9" in text
    assert "corrected for the 8 metrics here" in text


def test_markdown_is_a_table_whatever_the_classes_are_called():
    a, b = pair_of_models(1)
    names = ["a|b", "<b>", "`c`"]
    text = as_markdown(compare(a._replace(classes=names), b._replace(classes=names), 100, 1))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 8
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {8}
    assert set(table[1]) <= set("|-: ")
    assert [line.split()[1] for line in table[-3:]] == ["`iou.a\\|b`", "`iou.<b>`", "`iou.'c'`"]
    before, after = text.split("\n".join(table))
    assert before.endswith("\n\n") and after.startswith("\n\n")


def test_json_holds_all_there_is():
    comparison = compare(*pair_of_models(1), 150, 2)
    said = json.loads(as_json(comparison))
    found = row(comparison, "mean_iou")
    head = {"a": "a", "b": "b", "images": 40, "resamples": 150, "seed": 2, "confidence": CONFIDENCE}
    assert {key: said[key] for key in said if key != "metrics"} == head
    assert list(said["metrics"]) == [row.metric for row in comparison.rows]
    assert said["metrics"]["mean_iou"] == {
        "a": round(found.a, 6), "b": round(found.b, 6), "difference": round(found.difference, 6),
        "low": round(found.low, 6), "high": round(found.high, 6), "p_value": round(found.p_value, 6),
        "images": found.images, "verdict": found.verdict,
    }  # fmt: skip
