"""Training in several processes: equal bytes, also after kills and stops, on one host and over folders of their own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from processes import living, none_left
from project import digests, set_params
from raw_data import pairs, write_raw

from maskline.engine import pool, replicas
from maskline.engine.place import local_places
from maskline.errors import InputError
from maskline.files.artifacts import write_bytes
from maskline.files.checksums import write_sums
from maskline.files.yaml12 import read_yaml
from maskline.params.check import Params
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.training import agreement, memory
from maskline.training.checkpoint import State

ROOT = Path(__file__).parents[1]
PARAMS = {
    "repo": str(ROOT),
    "model.architecture": "convtranspose",  # which is traced in less time than U-Net
    "model.width": 4,
    "model.dropout": 0.2,
    "augment.rotation": 10.0,
    "train.epochs": 12,
    "train.batch_size": 4,
    "train.workers": 2,
    "train.ema": 0.5,
}
KILLED = (
    r"train: worker 1 of the 2 on this host was killed, most likely because memory ran out, so training stopped; .*; "
    r"the next run goes on from the last checkpoint\."
)
LOST = "another worker was lost, so training stopped here too"


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A folder that is ready for the stage train."""
    folder = tmp_path_factory.mktemp("workers") / "ready"
    write_raw(folder / "raw", {"train": pairs(9, 1), "validation": pairs(6, 2), "test": pairs(1, 3)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        build_shards(folder / "raw", folder / "data/shards", Target(32, 32, "raw"), 4, SplitOptions(1, None, 0.1))
    encoder = {"encoder": "unet", "weights": "none", "file": None, "sha256": None}
    write_bytes(folder / "data/weights/encoder.json", json.dumps(encoder).encode())
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("shards", "weights"):
        write_sums(folder / "data" / name)
    set_params(folder, PARAMS)
    return folder


@pytest.fixture
def copy(ready, tmp_path):
    """Return a function that copies the folder and changes its params."""

    def make(name, **changes):
        shutil.copytree(ready, tmp_path / name)
        set_params(tmp_path / name, changes)
        return tmp_path / name

    return make


def start(folder, **environment):
    """Start the stage as the leader of a session, with its output in `log`."""
    with open(folder / "log", "w") as log:
        return subprocess.Popen(
            [sys.executable, ROOT / "stages/train.py"], cwd=folder, stdout=log, stderr=log, start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != "TF_CONFIG"} | environment,
        )  # fmt: skip


def said(folder):
    return (folder / "log").read_text()


def train(folder, **environment):
    process = start(folder, **environment)
    assert process.wait() == 0, said(folder)
    return digests(folder, "data/model")


def wait_for(folder, text, process, patience=300.0):
    deadline = time.monotonic() + patience
    while text not in said(folder):
        assert process.poll() is None and time.monotonic() < deadline, said(folder)
        time.sleep(0.05)


def workers(leader):
    """Return the worker processes of a session in the order of their ranks."""
    return [pid for pid in sorted(living(leader)) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def whole(ready, tmp_path_factory):
    """The folder of an undisturbed training by two workers."""
    folder = tmp_path_factory.mktemp("whole") / "folder"
    shutil.copytree(ready, folder)
    train(folder)
    return folder


def start_hosts(*folders):
    """Start the stage in each folder, as on hosts of their own."""
    places = local_places(len(folders))
    return [start(folder, TF_CONFIG=place.tf_config()) for folder, place in zip(folders, places, strict=True)]


@pytest.mark.slow
def test_two_workers_learn_what_one_learns_up_to_rounding(whole, copy):
    alone = copy("alone", **{"train.workers": 1})
    assert train(alone) != digests(whole, "data/model")  # the knob turns
    histories = [pd.read_csv(folder / "data/model/history.csv").iloc[0] for folder in (alone, whole)]
    for name in ("train_loss", "validation_loss"):
        assert histories[1][name] == pytest.approx(histories[0][name], rel=1e-4)


@pytest.mark.slow
def test_killed_and_stopped_it_ends_in_the_same_bytes(whole, copy, interruptible):
    folder = copy("cut")
    process = start(folder)
    wait_for(folder, "epoch   2/", process)
    begun = time.monotonic()
    os.kill(workers(process.pid)[1], signal.SIGKILL)
    assert process.wait(30) == 1 and none_left(process.pid, 30 - (time.monotonic() - begun))
    *_, last = said(folder).splitlines()
    assert re.fullmatch(KILLED, last) and not (folder / "data/model").exists()

    process = start(folder)
    wait_for(folder, "epoch   5/", process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 1 and none_left(process.pid)
    *_, last = said(folder).splitlines()
    stopped = re.fullmatch(r"train: stopped; step (\d+) of 24 is saved, and `dvc repro` resumes from there\.", last)
    assert stopped, said(folder)

    assert train(folder) == digests(whole, "data/model")
    assert f"train: resumes after step {stopped[1]} of 24." in said(folder)


@pytest.mark.slow
def test_two_folders_that_share_the_loopback_alone_give_the_bytes_of_one_host(whole, copy):
    first, second = copy("first"), copy("second")
    before = digests(second, ".")
    processes = start_hosts(first, second)
    assert [process.wait() for process in processes] == [0, 0], said(first) + said(second)
    assert digests(first, "data/model") == digests(whole, "data/model")
    after = digests(second, ".")
    del after["log"]
    assert after == before and not said(second)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_host_that_is_lost_stops_the_other_in_one_sentence(copy, lost):
    folders = [copy(name, **{"train.epochs": 1000}) for name in ("first", "second")]
    processes = start_hosts(*folders)
    wait_for(folders[0], "epoch   1/", processes[0])
    os.killpg(processes[lost].pid, signal.SIGKILL)
    assert processes[1 - lost].wait(30) == 1 and none_left(processes[1 - lost].pid)
    assert said(folders[1 - lost]).splitlines()[-1].startswith(f"train: {LOST}")


@pytest.mark.slow
def test_other_params_on_another_host_are_named_before_the_first_step(copy):
    folders = [copy("first"), copy("second", **{"train.learning_rate": 0.5, "seed": 3})]
    for process in start_hosts(*folders):
        assert process.wait() == 1
    for folder in folders:
        assert "train: worker 1 does not have worker 0's seed and params of section train; all" in said(folder)
    assert not list(folders[1].rglob(".checkpoints"))


@pytest.mark.slow
def test_an_error_of_all_workers_is_said_once(copy):
    folder = copy("single", **{"train.batch_size": 10})
    process = start(folder)
    assert process.wait() == 1 and none_left(process.pid)
    assert said(folder).count("the train split has 9 images, a single batch, of which train.workers cannot take") == 1


def test_free_memory_must_do_for_all_workers_of_the_host(monkeypatch):
    params = Params.model_validate(read_yaml(ROOT / "params.yaml"))
    monkeypatch.setattr(memory, "free_memory", lambda: 11 * 10**8)
    monkeypatch.setattr(memory, "forecast", lambda *_: 6 * 10**8)
    memory.check_memory(None, None, params.model, params.train, (32, 32))
    with pytest.raises(InputError, match=r"^training needs about 1\.2 GB more memory, but only 1\.1 GB are free"):
        memory.check_memory(None, None, params.model, params.train, (32, 32), 2)


# What all must have in common, with another worker that is made up.


@pytest.fixture
def other(monkeypatch):
    """Return a function that lets a second worker give other rows."""

    def give(change):
        monkeypatch.setattr(replicas, "count", lambda: 2)
        monkeypatch.setattr(replicas, "gather", lambda rows: tf.concat([rows, change(rows)], axis=0))

    return give


def test_a_fingerprint_is_compared_part_by_part(other):
    mine = {"seed": 1, "data": "a", "libraries": ["2.21"]}
    other(lambda rows: rows)
    agreement.check_same(mine)
    other(lambda rows: tf.concat([rows[:, :1], rows[:, 1:] + 1.0], axis=1))
    with pytest.raises(InputError, match=r"^worker 1 does not have worker 0's shards and versions of TensorFlow, Ke"):
        agreement.check_same(mine)


def test_one_worker_compares_nothing(monkeypatch):
    monkeypatch.setattr(replicas, "gather", None)
    agreement.check_same({"seed": 1})


@pytest.mark.parametrize("size", [1, 7, 8, 100])
def test_data_are_sent_in_pieces(monkeypatch, size):
    monkeypatch.setattr(agreement, "_PIECE", 3)
    data = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
    assert agreement._broadcast(data) == data


def test_the_first_workers_state_comes_without_its_best_weights():
    state = State(3, [{"epoch": 1, "loss": 0.1}], [np.arange(3.0), np.float32(-0.0)], [np.arange(2)])
    received = agreement.first_workers_state(state, None)
    assert (received.step, received.history) == (3, state.history)
    assert [value.tobytes() for value in received.variables] == [value.tobytes() for value in state.variables]
    assert [value.tolist() for value in received.best] == [[0, 1]]
