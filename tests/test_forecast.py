"""The forecast of training's memory: by hand, against a measured peak, and the refusal under a real limit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from maskline.training.memory import temporaries

ROOT = Path(__file__).parents[1]
KB = 1 << 10


def peak(function, *shapes) -> int:
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return temporaries(tf.function(function).get_concrete_function(*specs).graph)


SQUARE = (16, 16)  # 1 KB


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x @ x, 1),
        (lambda x: (x @ x) @ x, 2),
        (lambda x: ((x @ x) @ x) @ x, 2),
        (lambda x: tf.concat([x @ x, x @ x], 0), 4),
        (lambda x: tf.nn.relu(x @ x), 1),
        (lambda x: tf.reshape(x @ x, [-1]), 1),
        (lambda x: tf.nn.relu(y := x @ x) @ y, 3),
        (lambda x: tf.cast(x @ x, tf.float64), 3),
    ],
    ids=["one", "two", "chain", "join", "in place", "view", "still read", "wider"],
)
def test_results_live_until_their_last_reader_has_run(function, expected):
    assert peak(function, SQUARE) == expected * KB


def test_what_has_no_known_shape_does_not_count():
    assert peak(lambda x: tf.boolean_mask(x, x[:, 0] > 0) * 2.0, SQUARE) < 4 * KB


CHILD = """
import json, resource, sys
from pathlib import Path
import numpy as np, tensorflow as tf
from maskline.engine.memory import free_memory
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.models.segmentation import SegmentationModel
from maskline.params.check import Params
from maskline.training.checkpoint import Checkpoints, State
from maskline.training.losses import cross_entropy
from maskline.training.memory import check_memory, forecast
from maskline.training.schedule import optimizer, schedule
from maskline.training.trainer import Trainer

batch, size, limited = json.loads(sys.argv[1])
params = Params.model_validate(read_yaml(Path("params.yaml")))
network = SegmentationModel("unet", "unet", ["a", "b", "c"], ["#000000"] * 3, 16, 0.0, False, "float32")
trainer = Trainer(network, cross_entropy, optimizer(params.train, schedule(params.train, 5)), 0.0)
graph = trainer.graph(batch, size, size)
statm = [int(pages) * resource.getpagesize() for pages in Path("/proc/self/statm").read_text().split()]
if limited:
    resource.setrlimit(resource.RLIMIT_AS, (statm[0] + (2 << 30), resource.RLIM_INFINITY))
    try:
        check_memory(trainer, graph, params.model, params.train, (size, size))
    except InputError as error:
        print(json.dumps(str(error)))
    else:
        print(json.dumps("fits"))
else:
    before = statm[1]
    images = tf.zeros((batch, size, size, 3), tf.uint8)
    for step in range(2):
        trainer.step(images, images[..., 0])
        best = [np.array(variable.numpy()) for variable in network.variables]
        Checkpoints(Path(sys.argv[2]), 1).save(State(step, [], trainer.values(), best))
    assert trainer.step.experimental_get_tracing_count() == 1
    # Not ru_maxrss, which begins with that of the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = 1024 * int(status["VmHWM"].split()[0])
    print(json.dumps([before + forecast(trainer, graph), peak]))
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def child(folder: Path, batch: int, size: int, limited: bool):
    command = [sys.executable, "-c", CHILD, json.dumps([batch, size, limited]), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@linux
@pytest.mark.slow
def test_a_measured_peak_is_near_the_forecast(tmp_path):
    expected, peak = child(tmp_path, 8, 192, limited=False)
    assert 0.8 < expected / peak < 1.1


@linux
@pytest.mark.parametrize(("batch", "fits"), [(16, False), pytest.param(1, True, marks=pytest.mark.slow)])
def test_training_that_does_not_fit_ends_in_a_sentence(batch, fits, tmp_path):
    said = child(tmp_path, batch, 512, limited=True)
    if fits:
        assert said == "fits"
    else:
        assert said.startswith("training needs about 5.") and " GB more memory, but only 2." in said
        assert "lower train.batch_size" in said and "512x512" in said
