"""SIGKILL at every file operation, step and validation batch, and again in the next run: equal bytes in the end."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from test_training import params, run

from maskline.errors import Stopped
from maskline.files import artifacts
from maskline.training.checkpoint import Checkpoints, State
from maskline.training.interrupts import stop_if_requested
from maskline.training.trainer import Trainer
from maskline.training.validate import Scores

SCORES = Scores(1.0, 0.5, 0.5)


def killed(name: str, folder: Path) -> dict:
    """Run one of `killed.py`'s works."""
    command = [sys.executable, Path(__file__).parent / "support/killed.py", name, folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "kills"),
    [("preprocess", 60), ("checkpoint", 60), pytest.param("evaluate", 5, marks=pytest.mark.slow)],
)
def test_killed_at_every_operation_it_ends_in_the_same_bytes(name, kills, tmp_path):
    assert killed(name, tmp_path)["kills"] >= kills


@pytest.mark.slow
def test_training_killed_until_it_finishes_ends_in_the_same_bytes_and_others_start_anew(tmp_path):
    found = killed("train", tmp_path)
    assert found["kills"] >= 2 and found["went_on"] == 2, found
    assert (found["code"], found["data"], found["back"]) == (False, False, True)


@pytest.mark.parametrize(("number", "where", "saved"), [(signal.SIGINT, "step", 9), (signal.SIGTERM, "validation", 10)])
def test_a_signal_within_a_step_or_in_validation_saves_the_last_whole_step(
    number, where, saved, tmp_path, interruptible, monkeypatch, capsys
):
    config, calls, step = params(ema=0.9), itertools.count(1), Trainer._step
    expected, _ = run(config, Checkpoints(tmp_path / "whole", 1), validator=lambda: SCORES)

    def strike(at):
        if next(calls) == at:
            os.kill(os.getpid(), number)

    def validator():
        strike(2)
        stop_if_requested()
        return SCORES

    monkeypatch.setattr(Trainer, "_step", lambda self, *batch: (tf.py_function(strike, [9], []), step(self, *batch))[1])
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(Stopped, match=rf"^step {saved} of 15 is saved$"):
            if where == "validation":
                monkeypatch.setattr(Trainer, "_step", step)
            run(
                config,
                Checkpoints(tmp_path / "cut", 1),
                validator=validator if where == "validation" else lambda: SCORES,
            )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert run(config, Checkpoints(tmp_path / "cut", 1), validator=lambda: SCORES)[0] == expected
    assert f"resumes after step {saved} of 15" in capsys.readouterr().out


def test_a_torn_checkpoint_takes_no_place_of_a_good_one(tmp_path):
    earlier = Checkpoints(tmp_path, 1)
    for step in (10, 20):
        earlier.save(State(step, [], [np.arange(step)], []))
    torn = next(tmp_path.glob("*/0000000020.npz"))
    torn.write_bytes(torn.read_bytes()[:100])
    checkpoints = Checkpoints(tmp_path, 1)
    assert checkpoints.load([(10,)]).step == 10
    checkpoints.save(State(15, [], [np.arange(15)], []))
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["0000000010.npz", "0000000015.npz"]


def test_two_are_kept_where_the_latest_is_written_again(tmp_path):
    """As when Ctrl-C came in validation, and the next run saves the same step with the epoch's row."""
    earlier = Checkpoints(tmp_path, 1)
    for step in (10, 20):
        earlier.save(State(step, [], [np.arange(3)], []))
    again = Checkpoints(tmp_path, 1)
    again.save(again.load([(3,)]))
    assert len(list(tmp_path.glob("*/*"))) == 2


def test_another_runs_checkpoint_is_refused_wherever_it_lies(tmp_path, capsys):
    for run_name in ("mine", "theirs"):
        Checkpoints(tmp_path, run_name).save(State(len(run_name), [], [np.arange(3)], []))
    (theirs,) = tmp_path.glob("*/0000000006.npz")
    (mine,) = tmp_path.glob("*/0000000004.npz")
    shutil.copy(theirs, mine.parent)
    assert Checkpoints(tmp_path, "mine").load([(3,)]).step == 4
    assert "0000000006.npz is damaged or of another run" in capsys.readouterr().out


def test_every_flipped_byte_is_refused(tmp_path):
    Checkpoints(tmp_path, 1).save(State(7, [], [np.arange(3.0)], []))
    (path,) = tmp_path.glob("*/*.npz")
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        assert Checkpoints(tmp_path, 1).load([(3,)]) is None, place


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_all_is_on_disk_before_it_has_its_name_and_the_name_after(kind, tmp_path, monkeypatch):
    """Power loss: content and entries are flushed before the rename, the rename before anything relies on it."""
    done, sync, replace = [], os.fsync, os.replace

    def noted_sync(descriptor):
        done.append(("sync", os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), tmp_path)))
        sync(descriptor)

    def noted_replace(source, target):
        done.append(("rename", os.path.relpath(target, tmp_path)))
        replace(source, target)

    monkeypatch.setattr(artifacts.os, "fsync", noted_sync)
    monkeypatch.setattr(artifacts.os, "replace", noted_replace)
    if kind == "file":
        artifacts.write_bytes(tmp_path / "a/b/file", b"x")
        before = {"a/b/file.partial"}
    else:
        with artifacts.new_directory(tmp_path / "a/b/out") as folder:
            (folder / "inner").mkdir()
            (folder / "inner/file").write_bytes(b"x")
        before = {f"a/b/out.partial{inner}" for inner in ("", "/inner", "/inner/file")}
    name = "a/b/file" if kind == "file" else "a/b/out"
    at = done.index(("rename", name))
    assert {("sync", path) for path in {".", "a"} | before} <= set(done[:at])
    assert done[at + 1] == ("sync", "a/b")
