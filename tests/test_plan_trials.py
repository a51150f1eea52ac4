"""Trials of params in a child process: what they measure, refuse and remember, and that none is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import none_left
from test_plan_forecast import fingerprint, params

from maskline.errors import InputError
from maskline.params.augment import AugmentParams
from maskline.planning.trial.trials import Trials, _without_equals

ROOT = Path(__file__).parents[1]
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
TINY = {
    "preprocess_height": 32, "preprocess_width": 32, "model_width": 4, "train_batch_size": 4, "evaluate_samples": 1,
}  # fmt: skip


def test_amounts_that_cost_the_same_are_tried_once():
    first, second = (params(augment_scale=scale, train_ema=ema) for scale, ema in ((0.2, 0.9), (0.3, 0.99)))
    assert _without_equals(first) == _without_equals(second) != _without_equals(params())
    AugmentParams.model_validate(_without_equals(first)["augment"])


@pytest.fixture(scope="module")
def trials():
    """Trials that end with the last test."""
    with Trials() as begun:
        yield begun
    assert begun._child.poll() is not None


@pytest.mark.slow
def test_trials_measure_refuse_and_remember(trials):
    trial = trials.of(fingerprint())
    assert isinstance(trials.gpus(), list)
    training = trial(params(**TINY))
    measured = trials.measured(fingerprint(), params(**TINY, evaluate_flip=True))
    assert measured.training is training
    numbers = [*training[:-1], *measured.evaluation]
    assert all(number >= 0 for number in numbers)
    assert training.example_bytes == pytest.approx(32 * 32 * 4, rel=0.2)
    assert 0.5 < training.forecast / training.peak < 1.5
    begun = time.perf_counter()
    assert trial(params(**TINY, train_epochs=99, train_learning_rate=0.5)) is training
    for _ in range(2):
        with pytest.raises(InputError, match=r"^training needs about .* GB more memory.*train\.batch_size"):
            trial(params(**TINY | {"preprocess_height": 8192, "preprocess_width": 8192}))
    with pytest.raises(InputError, match=r"no dropout to sample"):
        trials.measured(fingerprint(), params(**TINY, evaluate_dropout_samples=2))
    assert time.perf_counter() - begun < 120
    again = trial(params(**TINY, augment_rotation=10.0))
    assert again is not training


CHECK = """
import json, sys
from pathlib import Path
from maskline.files.yaml12 import read_yaml
from maskline.planning.trial.shards import synthetic_manifest
from maskline.params.check import Params
from maskline.training import memory
from maskline.training.setup import set_up

values = json.loads(sys.argv[1])
p = Params.model_validate(values)
size = p.preprocess.height, p.preprocess.width
trainer, _, _ = set_up(synthetic_manifest(p.preprocess, 4, p.train.batch_size), size, None, p.model, p.train)
print(memory.forecast(trainer, trainer.graph(p.train.batch_size, *size)))
"""


@linux
@pytest.mark.slow
def test_the_forecast_of_memory_is_that_of_the_check_of_train(trials):
    done = subprocess.run(
        [sys.executable, "-c", CHECK, json.dumps(params(**TINY))], cwd=ROOT, capture_output=True, text=True, check=True
    )
    needed = int(done.stdout.splitlines()[-1])
    found = trials.of(fingerprint())(params(**TINY))
    held = found.forecast - needed
    assert 2 * 10**8 < held < found.peak


PLANNER = """
import sys
from maskline.planning.trial.trials import Trials
with Trials() as trials:
    print(trials._child.pid, flush=True)
    trials.gpus()
    if sys.argv[1] == "trial":
        print("ready", flush=True)
        from test_plan_trials import TINY, fingerprint, params
        trials.of(fingerprint())(params(**TINY | {"preprocess_height": 256, "preprocess_width": 256}))
"""


@linux
@pytest.mark.slow
@pytest.mark.parametrize("moment", ["import", "trial"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_planner_that_ends_leaves_nothing(moment, number, tmp_path, interruptible):
    places = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests/support")))
    planner = subprocess.Popen(
        [sys.executable, "-c", PLANNER, moment],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": places, "TMPDIR": str(tmp_path)},
    )
    child = int(planner.stdout.readline())
    if moment == "trial":
        assert planner.stdout.readline() == "ready\n"
        time.sleep(3.0)
    planner.send_signal(number)
    planner.wait()
    planner.stdout.close()
    assert none_left(child, patience=60.0)
    assert not list(tmp_path.iterdir())
