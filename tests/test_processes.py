"""Batches made in processes: those that threads make, their errors, and how the processes end."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from raw_data import pairs, write_raw

from maskline.contracts.manifest import read_manifest
from maskline.errors import ArtifactError, InputError
from maskline.params.augment import AugmentParams
from maskline.shards.read import batches
from maskline.shards.read.augment import augmentation
from maskline.shards.read.batches import readers_errors, training_batches
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

ROOT = Path(__file__).parents[1]
SHARD = "train-00000-of-00001.tfrecord"
ALL = AugmentParams(
    flip=True, flip_vertical=True, quarter_turns=True, scale=0.4, rotation=30, translation=0.1, crop=[16, 16],
    crop_rare=0.5, copy_paste=0.7, brightness=0.3, contrast=0.4, saturation=0.5, hue=20, blur=1,
)  # fmt: skip
SEEN = (16, 16)


@pytest.fixture(params=["raw"])
def reader(tmp_path, in_process, request):
    write_raw(tmp_path / "raw", {"train": pairs(22), "validation": pairs(1, 1), "test": pairs(1, 2)})
    options = SplitOptions(seed=3, limit=None, validation_fraction=0.25)
    build_shards(tmp_path / "raw", tmp_path / "shards", Target(24, 16, request.param), 30, options)
    return ShardReader(tmp_path / "shards", read_manifest(tmp_path / "shards"), "train")


@pytest.fixture
def processes(monkeypatch):
    """Make batches in two processes, as where there is a GPU."""
    monkeypatch.setattr(batches, "_processes", lambda shape: 2)


def made(reader, steps, **workers):
    stream = training_batches(reader, 4, augmentation(ALL, reader), 5, steps, size=SEEN, **workers)
    return [(images.copy(), labels.copy()) for images, labels in stream.as_numpy_iterator()]


def children():
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def ended(found, seconds=20):
    return not psutil.wait_procs(found, timeout=seconds)[1]


@pytest.mark.parametrize("reader", ["raw", "png", "jpeg"], indirect=True)
def test_processes_make_the_batches_that_threads_make(reader, monkeypatch):
    in_threads = made(reader, range(12)), made(reader, range(7, 12)), made(reader, range(6), rank=1, count=2)
    monkeypatch.setattr(batches, "_processes", lambda shape: 2)
    in_processes = made(reader, range(12)), made(reader, range(7, 12)), made(reader, range(6), rank=1, count=2)
    for one, other in zip(in_threads, in_processes, strict=True):
        assert len(one) == len(other) > 0
        for arrays in zip(one, other, strict=True):
            for expected, found in zip(*arrays, strict=True):
                np.testing.assert_array_equal(expected, found)


def test_batches_of_processes_that_are_kept_do_not_change(reader, processes):
    stream = training_batches(reader, 4, augmentation(ALL, reader), 5, range(80), size=SEEN)
    kept = list(stream)
    for (images, labels), (expected, masks) in zip(kept, stream.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, masks)


def test_an_error_of_a_process_is_the_callers(reader, processes):
    path = reader._paths[0]
    os.truncate(path, 100)
    with pytest.raises(ArtifactError, match=rf"{SHARD} was truncated while it was read$") as caught, readers_errors():
        made(reader, range(4))
    assert caught.value.path == path


def test_a_killed_process_ends_the_stream_in_one_sentence(reader, processes):
    stream = iter(training_batches(reader, 4, augmentation(ALL, reader), 5, range(10**6), size=SEEN))
    next(stream)
    for child in children():
        child.kill()
    message = r"a process that makes batches was killed, .* lower train\.batch_size"
    with pytest.raises(InputError, match=message), readers_errors():
        for _ in stream:
            pass


def test_processes_end_with_their_stream(reader, processes):
    stream = iter(training_batches(reader, 4, augmentation(ALL, reader), 5, range(10**6), size=SEEN))
    next(stream)
    found = children()
    assert len(found) == 2
    del stream
    gc.collect()
    assert ended(found)


def test_processes_end_with_a_killed_parent_and_leave_ctrl_c_to_it(reader, tmp_path):
    program = f"""
import signal
import time
from pathlib import Path
from maskline.contracts.manifest import read_manifest
from maskline.params.augment import AugmentParams
from maskline.shards.read.augment import augmentation
from maskline.shards.read.batch import TrainingBatch
from maskline.shards.read.processes import Processes
from maskline.shards.read.reader import ShardReader
import numpy as np
if __name__ == "__main__":
    shards = Path({str(reader._paths[0].parent)!r})
    reader = ShardReader(shards, read_manifest(shards), "train")
    change = augmentation(AugmentParams.model_validate({ALL.model_dump()!r}), reader)
    make = TrainingBatch(reader, change, 5, 4, 5, slice(None), {SEEN})
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})  # as in a worker of several
    made = Processes(make, [(4, *{SEEN}, 3), (4, *{SEEN})], 2)
    for step in range(4):
        made(step, lambda shape: np.empty(shape, np.uint8))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {{signal.SIGTERM}}
    print("ready", flush=True)
    time.sleep(600 if Path({str(tmp_path / "wait")!r}).exists() else 0)
"""
    (tmp_path / "main.py").write_text(program)
    subprocess.run(
        [sys.executable, tmp_path / "main.py"], env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120, check=True
    )
    (tmp_path / "wait").touch()
    run = subprocess.Popen(
        [sys.executable, tmp_path / "main.py"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "ready\n"
    found = [child for child in psutil.Process(run.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    assert len(found) == 2
    for child in found:
        child.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert all(child.status() != psutil.STATUS_ZOMBIE for child in found)
    run.kill()
    run.communicate()
    assert ended(found)


def test_a_pickled_reader_reads_the_same_and_holds_no_names(reader):
    data = pickle.dumps(reader)
    assert reader.names[0].encode() not in data
    for one, other in zip(reader.read(range(22)), pickle.loads(data).read(range(22)), strict=True):
        np.testing.assert_array_equal(one, other)
