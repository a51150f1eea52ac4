"""Forecasts of what a project costs."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.files.yaml12 import read_yaml
from maskline.planning import machine as machine_module
from maskline.planning.fingerprint import Fingerprint, FoundClass
from maskline.planning.forecast import forecast
from maskline.planning.machine import Machine, this_machine
from maskline.planning.splits import images_by_role
from maskline.planning.trial.measured import EvaluationCost, Measured, TrainingCost
from maskline.planning.trial.timing import typical

ROOT = Path(__file__).parents[1]
STAGES = ["download", "preprocess", "train", "evaluate", "report"]
PARAMS = read_yaml(ROOT / "params.yaml")
MACHINE = Machine(2, 8 << 30, [], False)
TRAINING = TrainingCost(
    start=4.0, build=3.0, first_step=1.0, preparation=0.002, step=0.2, first_validation=1.0, validation=0.01,
    checkpoint=0.1, save=0.5, model_bytes=10**7, example_bytes=65_000, forecast=10**9, peak=9 * 10**8, device="",
)  # fmt: skip
EVALUATION = EvaluationCost(load=2.0, image=0.02, checked=0.015, picture=0.1, picture_bytes=10**5, peak=6 * 10**8)
MEASURED = Measured(TRAINING, EVALUATION)

counts = st.integers(1, 100_000)


def fingerprint(train: int = 100, validation: int = 0, test: int = 0, classes: int = 4) -> Fingerprint:
    splits = {"train": train, "validation": validation, "test": test}
    found = [FoundClass(f"class {number}", str(number), 10, 1) for number in range(classes)]
    return Fingerprint(
        path=None,
        source=[],
        findings=[],
        warnings=[],
        images={split: count for split, count in splits.items() if count},
        classes=found,
        void_pixels=0,
        sampled=10,
        smallest=(100, 100),
        median=(120, 160),
        largest=(200, 200),
        channels={},
        stored_bytes=10**6 * train,
        groups=None,
        raw_bytes=10**6 * train,
        read_seconds=0.0002,
        decode_seconds=0.005,
    )


def params(**changes) -> dict:
    values = copy.deepcopy(PARAMS)
    for key, value in changes.items():
        section, _, name = key.partition("_")
        assert name in values[section]
        values[section][name] = value
    return values


def expected(values: dict, found: Fingerprint, measured: Measured = MEASURED) -> dict:
    stages = forecast(values, found, MACHINE, measured)
    assert [stage.stage for stage in stages] == STAGES
    assert all(stage.seconds > 0 and stage.memory > 0 and stage.disk > 0 for stage in stages)
    return {stage.stage: stage for stage in stages}


@pytest.mark.parametrize(
    ("images", "changes", "splits"),
    [
        ({"train": 100, "validation": 20, "test": 30}, {}, (100, 20, 30)),
        ({"train": 100, "test": 30}, {}, (90, 10, 30)),
        ({"train": 100}, {}, (72, 8, 20)),
        ({"train": 100}, {"dataset_limit": 16}, (16, 8, 16)),
        ({"train": 100}, {"dataset_test_fraction": 0.5, "dataset_validation_fraction": 0.5}, (25, 25, 50)),
        ({"train": 100}, {"dataset_folds": 5}, (72, 8, 20)),
        ({"train": 60, "validation": 40, "test": 30}, {"dataset_folds": 5}, (72, 8, 20)),
    ],
)
def test_splits_are_those_of_download_and_preprocess(images, changes, splits):
    assert tuple(images_by_role(params(**changes), fingerprint(**images)).values()) == splits


@given(epochs=st.integers(1, 1000), more=st.integers(1, 1000), train=counts)
def test_training_grows_with_epochs_alone(epochs, more, train):
    one, other = (expected(params(train_epochs=each), fingerprint(train)) for each in (epochs, epochs + more))
    assert one["train"].seconds < other["train"].seconds
    assert one["train"].memory == other["train"].memory
    assert all(one[name] == other[name] for name in STAGES if name != "train")


@given(train=counts, more=st.integers(100, 100_000))
def test_every_stage_but_the_report_grows_with_images(train, more):
    one, other = (expected(params(), fingerprint(each)) for each in (train, train + more))
    for name in ("download", "preprocess", "train", "evaluate"):
        assert one[name].seconds < other[name].seconds
        assert one[name].disk <= other[name].disk


@given(st.sampled_from(["step", "validation", "build", "start", "checkpoint"]), st.floats(0.1, 10.0))
def test_training_grows_with_each_part(part, more):
    slower = MEASURED._replace(training=TRAINING._replace(**{part: getattr(TRAINING, part) + more}))
    assert (
        expected(params(), fingerprint(), slower)["train"].seconds > expected(params(), fingerprint())["train"].seconds
    )


def test_an_epoch_of_training_is_its_steps_its_validation_and_its_checkpoint():
    found = fingerprint(160, 20, 20)
    two, three = (expected(params(train_epochs=each), found)["train"].seconds for each in (2, 3))
    assert three - two == pytest.approx(10 * 0.2 + 20 * 0.01 + 0.1, rel=0.01)


def test_training_validates_before_its_first_step_and_after_each_epoch():
    one, other = (expected(params(train_epochs=3), fingerprint(160, images, 20)) for images in (20, 1020))
    shards = 1000 * TRAINING.example_bytes / (500 << 20)  # the seconds that reading more of them takes
    assert other["train"].seconds - one["train"].seconds == pytest.approx(4 * 1000 * TRAINING.validation + shards)


def test_evaluate_predicts_the_test_and_the_validation_images():
    few, more = (expected(params(), fingerprint(160, *each))["evaluate"].seconds for each in ((20, 96), (120, 96)))
    assert more - few == pytest.approx(100 * (EVALUATION.checked + fingerprint().decode_seconds / 2), rel=0.01)


def test_download_copies_images_and_decodes_none():
    found = fingerprint()
    before, reading, decoding = (
        expected(params(), each)["download"]
        for each in (found, found._replace(read_seconds=0.1), found._replace(decode_seconds=0.1, stored_bytes=0))
    )
    assert reading.seconds - before.seconds == pytest.approx(100 * 0.1, rel=0.01)
    assert decoding == before
    assert before.disk == found.raw_bytes


def test_the_memory_of_training_is_that_of_the_check_or_what_was_measured_if_more():
    for peak in (5 * 10**8, 2 * 10**9):
        measured = MEASURED._replace(training=TRAINING._replace(peak=peak))
        assert expected(params(), fingerprint(), measured)["train"].memory == max(peak, TRAINING.forecast)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=50))
def test_what_is_typical_lies_among_the_values(values):
    assert min(values) * 0.999 <= typical(values) <= max(values) * 1.001


def test_a_few_slow_steps_are_not_typical_and_pairs_are():
    assert typical([1.0] * 9 + [50.0]) == 1.0
    assert typical([0.0, 2.0] * 8) == 1.0


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("flags\t\t: fpu amx_bf16 sse", True),
        ("flags\t\t: fpu avx512f", False),
        ("Features\t: fp bf16", True),
        ("", False),
    ],
)
def test_bfloat16_is_read_from_the_flags_of_the_cpu(text, has, tmp_path, monkeypatch):
    monkeypatch.setattr(machine_module, "_CPU", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{text}\n")
    assert this_machine(list).bfloat16 == has
    assert this_machine(lambda: ["GPU"]).bfloat16


def test_planning_a_trial_imports_no_tensorflow():
    code = "import sys, maskline.planning.forecast, maskline.planning.machine, maskline.planning.trial.trials\n"
    code += "print(sorted({'tensorflow', 'keras', 'tensorflow_datasets'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
