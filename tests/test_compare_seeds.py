"""The comparison of params over several seeds: figures by hand, verdicts by simulation, and what is refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import EASY, NAMES, SPREAD, simulated, truths
from test_compare import row

from maskline.comparison import sides
from maskline.comparison.compare import Result
from maskline.comparison.crossed import crossed_difference
from maskline.comparison.revisions import Run
from maskline.comparison.seeds import BY_IMAGES, compare_seeds
from maskline.comparison.seeds_text import as_json, as_markdown, as_text
from maskline.comparison.sides import read_side, refuse_shared
from maskline.errors import InputError
from maskline.metrics.bootstrap import headlines_and_ious
from maskline.metrics.scores import mean_iou

MIRRORED = {"better": "worse", "worse": "better"}


def two_sides(seed, models=4, images=30, gain=0.0, spread=0.02, by_image=0.0):
    """Return two sides' results by seed: models vary by `spread`, B is better by `gain` and other on each image."""
    rng = np.random.default_rng(seed)
    truth, accuracy = truths(images, rng), rng.normal(EASY, SPREAD, images)
    names = np.array([f"{i:03d} é.png" for i in range(images)])
    found = []
    for side, more in (("a", 0.0), ("b", gain + rng.normal(0, by_image, images))):
        of_model = rng.normal(0, spread, models)[:, None] + rng.normal(0, 0.02, (models, images))
        matrices = [simulated(truth, accuracy + more + of_one, rng) for of_one in of_model]
        found.append({
            s: Result(f"{side}{s}", names, each, list(NAMES), "1" * 64, "model") for s, each in enumerate(matrices, 1)
        })  # fmt: skip
    return found


def decided(comparison):
    return any(found.verdict not in ("can't tell", "the same") for found in comparison.rows)


def test_with_equal_images_it_is_welchs_test():
    stats = pytest.importorskip("scipy.stats")
    both = two_sides(1, models=5, images=1, gain=0.03)
    a, b = (np.stack([np.repeat(r.matrices, 3, axis=0) for r in side.values()]) for side in both)
    found = crossed_difference(a, b[:4], headlines_and_ious)
    values = [headlines_and_ious(side.sum(axis=1)) for side in (b[:4], a)]
    expected = stats.ttest_ind(*values, equal_var=False)
    interval = expected.confidence_interval()
    np.testing.assert_allclose(found.p_value, expected.pvalue, rtol=1e-6)
    np.testing.assert_allclose([found.low, found.high], [interval.low, interval.high], rtol=1e-6)


def test_one_image_tells_nothing_of_others():
    comparison = compare_seeds(*two_sides(1, images=1, gain=0.2), 100, 1)
    assert not decided(comparison)
    found = row(comparison, "mean_iou")
    assert (found.low, found.high, found.p_value) == (-1.0, 1.0, 1.0) and found.difference > 0.05


def test_images_widen_the_interval_by_what_seeds_do_not_explain():
    """With equal models on each side, the variance is that of a mean of image differences."""
    rng = np.random.default_rng(0)
    right = rng.integers(50, 90, (2, 40))
    counts = np.stack([100 - right, right], axis=-1)
    a, b = (np.repeat(each[None], 4, axis=0) for each in counts)
    found = crossed_difference(a, b, lambda sums: (sums[..., 1] / sums.sum(axis=-1))[..., None])
    images = (right[1] - right[0]) / 100
    assert found.difference[0] == pytest.approx(images.mean())
    error = images.std(ddof=1) / np.sqrt(40)
    assert 1.96 * error < found.high[0] - images.mean() < 2.12 * error  # Student's t of 19 to 39 images
    assert found.high[0] - images.mean() == pytest.approx(images.mean() - found.low[0])


def test_a_class_that_one_run_lacks_has_no_verdict():
    a, b = two_sides(1, gain=0.1)
    for side in (a, b):
        for result in side.values():
            result.matrices[:, :, 0] += result.matrices[:, :, 2]
            result.matrices[:, 2] = result.matrices[:, :, 2] = 0
    a[1].matrices[3, 0, 2] = 9  # only predicted: 0 where others have no value
    a[1].matrices[3, 0, 0] -= 9
    comparison = compare_seeds(a, b, 100, 1)
    found = row(comparison, "iou.crème brûlée")
    assert np.isnan([found.difference, found.low, found.p_value]).all() and found.verdict == "can't tell"
    assert "none" in as_text(comparison) and json.loads(as_json(comparison))["metrics"][found.metric]["low"] is None


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([2, 4]), st.randoms(use_true_random=False))
def test_exchanged_sides_change_the_sign_and_the_order_of_seeds_nothing(seed, models, random):
    a, b = two_sides(seed, models, images=12, gain=0.04)
    there, back = compare_seeds(a, b, 100, seed).rows, compare_seeds(b, a, 100, seed).rows
    for one, other in zip(there, back, strict=True):
        figures = [one.difference, one.low, one.high, one.p_value]
        opposite = [-other.difference, -other.high, -other.low, other.p_value]
        assert figures == pytest.approx(opposite, nan_ok=True)
        assert one.verdict.split()[0] == MIRRORED.get(other.verdict.split()[0], other.verdict.split()[0])
    shuffled = {key: a[key] for key in random.sample(sorted(a), len(a))}
    for one, other in zip(there, compare_seeds(shuffled, b, 100, seed).rows, strict=True):
        assert [one.difference, one.low, one.high] == pytest.approx(
            [other.difference, other.low, other.high], nan_ok=True
        )
        assert one.verdict == other.verdict


def test_the_same_params_are_told_apart_in_at_most_one_table_in_twenty():
    alarms = sum(decided(compare_seeds(*two_sides(seed), 100, 1)) for seed in range(200))
    assert 1 <= alarms <= 16  # 5 % is 10; a test that never errs has no power


def test_images_that_params_suit_differently_are_no_better_params():
    wrong = sum(
        crossed_difference(
            *(np.stack([r.matrices for r in side.values()]) for side in two_sides(seed, spread=0.0, by_image=0.1)),
            lambda sums: mean_iou(sums)[:, None],
        ).p_value[0]
        <= 0.05
        for seed in range(200)
    )
    assert 3 <= wrong <= 18


def test_a_real_change_is_found_and_its_class_named():
    a, b = two_sides(3, models=6, gain=0.1)
    comparison = compare_seeds(a, b, 100, 1)
    found = row(comparison, "mean_iou")
    assert found.verdict == row(comparison, "iou.sky").verdict == "better"
    assert 0 < found.low < found.difference < found.high and found.p_value < 0.05
    assert found.difference == pytest.approx(np.mean(found.b) - np.mean(found.a))


def test_a_verdict_excludes_no_difference_and_mean_iou_comes_first():
    for seed in range(30):
        comparison = compare_seeds(*two_sides(seed, gain=0.03), 100, 1)
        gate = row(comparison, "mean_iou")
        for found in comparison.rows:
            is_decided = found.verdict in ("better", "worse")
            assert is_decided == (not found.low <= 0 <= found.high) == (found.p_value <= 0.05)
            assert gate.verdict in ("better", "worse") or not is_decided


@pytest.mark.parametrize(("gain", "verdict"), [(0.0, "can't tell"), (0.15, f"better {BY_IMAGES}")])
def test_three_seeds_tell_nothing_of_params(gain, verdict):
    comparison = compare_seeds(*two_sides(1, models=3, gain=gain), 300, 1)
    found = row(comparison, "mean_iou")
    assert (found.verdict, comparison.is_about_params) == (verdict, False)
    assert np.isnan([found.low, found.high, found.p_value]).all()
    text = as_text(comparison)
    assert "fewer than 4 seeds on a side" in text and "about these models" in text
    assert json.loads(as_json(comparison))["about"] == "models"


def test_one_pair_of_models_that_images_do_not_tell_apart_is_enough_for_doubt():
    a, b = two_sides(1, models=3, gain=0.15)
    b[3] = a[3]._replace(name="b3")
    assert row(compare_seeds(a, b, 300, 1), "mean_iou").verdict == "can't tell"


def test_equal_runs_are_the_same_and_equal_seeds_of_other_params_differ():
    a, b = two_sides(1, gain=0.1)
    alike = [{s: side[1] for s in range(1, 5)} for side in (a, b)]
    assert {found.verdict for found in compare_seeds(alike[0], alike[0], 100, 1).rows} == {"the same"}
    assert row(compare_seeds(*alike, 100, 1), "mean_iou").verdict == "better"


def test_text_names_the_runs_and_the_spread():
    a, b = two_sides(2, gain=0.1)
    text = as_text(compare_seeds(a, b, 100, 1))
    assert text.startswith("A is 4 runs: a1, a2, a3, a4.\nB is 4 runs: b1, b2, b3, b4.\nOn 30 test images:\n")
    number = r"0\.\d{4}"
    assert re.search(rf"mean_iou( +{number}){{4}} +\+{number} +\+{number} to \+{number} +<?{number} +better", text)
    assert "about the params" in text and "other 7 metrics" in text
    said = json.loads(as_json(compare_seeds(a, b, 100, 1)))
    assert said["about"] == "params" and said["a"][0] == {"seed": 1, "run": "a1"}
    assert len(said["metrics"]["mean_iou"]["b"]) == 4
    assert "\n| `mean_iou` " in as_markdown(compare_seeds(a, b, 100, 1))


def test_other_test_images_are_refused():
    a, b = two_sides(1)
    b[2] = b[2]._replace(filenames=np.char.add(b[2].filenames, "x"))
    with pytest.raises(InputError, match="a1 and b2 were tested on different images"):
        compare_seeds(a, b, 100, 1)


@pytest.fixture
def revisions(monkeypatch):
    """Return the runs that revisions have, for a test to change."""
    a, _ = two_sides(1)
    own = {"dataset.path": "photos", "train.epochs": 20}
    found = {f"r{s}": Run(result._replace(name=f"r{s}"), {"seed": s, **own}) for s, result in a.items()}
    monkeypatch.setattr(sides, "read_run", lambda revision, folder: found[revision])
    return found


def test_runs_of_a_side_differ_in_seed_alone(revisions):
    revisions["r2"].params["dataset.path"] = str(Path("photos").absolute())  # as queued experiments have it
    assert list(read_side(["r1", "r2", "r3"], Path())) == [1, 2, 3]
    revisions["r3"].params["train.epochs"] = 30
    with pytest.raises(InputError, match=r"r1 and r3 differ in train\.epochs, .*Received: 20 and 30"):
        read_side(["r1", "r2", "r3"], Path())
    with pytest.raises(InputError, match="r1 and r1 have the same seed, 1, "):
        read_side(["r1", "r1"], Path())
    with pytest.raises(InputError, match="r1 is on both sides; "):
        refuse_shared(read_side(["r1", "r2"], Path()), read_side(["r1"], Path()))
    del revisions["r4"].params["seed"]
    with pytest.raises(InputError, match=r"r4 has no seed in its dvc\.lock"):
        read_side(["r4"], Path())
