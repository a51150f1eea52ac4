"""Several workers: their places, their shares of the host, and what is refused before TensorFlow is imported."""

import json
import os
import pickle
import subprocess
import sys
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import pytest
from project import set_params

from maskline.engine.cores import cores, take_share
from maskline.engine.place import Place, given_place, local_places
from maskline.errors import ArtifactError, InputError, Stopped
from maskline.training import processes

ROOT = Path(__file__).parents[1]
HOSTS = ("a:2222", "b:2222", "a:2223")


def config(workers, **task):
    return json.dumps({"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": 0} | task})


def test_a_place_is_what_tf_config_says(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config(HOSTS, index=2))
    place = given_place(3)
    assert place == Place(HOSTS, 2)
    assert json.loads(place.tf_config()) == json.loads(config(HOSTS, index=2))


@pytest.mark.parametrize(("rank", "neighbors"), [(0, [0, 2]), (1, [1]), (2, [0, 2])])
def test_workers_of_one_host_are_neighbors(rank, neighbors):
    assert Place(HOSTS, rank).neighbors == neighbors


@pytest.mark.parametrize("value", [None, ""])
def test_without_tf_config_there_is_no_place(monkeypatch, value):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_CONFIG", value)
    assert given_place(2) is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "3",
        "{}",
        config(HOSTS, index=3),
        config(HOSTS, index=-1),
        config(HOSTS, index="0"),
        config(HOSTS, index=True),
        config(HOSTS, type="chief"),
        config([]),
        config(["a", "b"]),
        config(["2222", "2223"]),
        config([":2222", ":2223"]),
        config([1, 2]),
        json.dumps({"cluster": {"worker": HOSTS, "ps": HOSTS}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": {"worker": HOSTS}}),
    ],
)
def test_another_tf_config_is_refused_in_a_sentence(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"^TF_CONFIG must be such as .*correct it or unset it\. Received: "):
        given_place(3)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_tf_config_has_as_many_workers_as_params(monkeypatch, workers):
    monkeypatch.setenv("TF_CONFIG", config(HOSTS))
    with pytest.raises(InputError, match=rf"TF_CONFIG has 3 workers, but .*Received: {workers}$"):
        given_place(workers)


def test_workers_of_this_host_have_ports_of_their_own():
    places = local_places(3)
    assert [place.rank for place in places] == [0, 1, 2]
    assert len(set(places[0].addresses)) == 3 and {place.addresses for place in places} == {places[0].addresses}
    assert places[0].neighbors == [0, 1, 2]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a process's cores: is absent from this system")
@pytest.mark.parametrize("count", [1, 2, 3, cores() + 1])
def test_workers_have_equal_shares_of_the_cores(count):
    whole = os.sched_getaffinity(0)
    shares = []
    for number in range(count):
        try:
            take_share(number, count)
            shares.append(os.sched_getaffinity(0))
        finally:
            os.sched_setaffinity(0, whole)
    assert {len(share) for share in shares} == {max(1, len(whole) // count)}
    assert count > len(whole) or sum(map(len, shares)) == len(set().union(*shares))


def test_an_error_of_a_stages_file_passes_between_processes():
    error = pickle.loads(pickle.dumps(ArtifactError(Path("data/shards/x"), "is missing")))
    assert (str(error), error.path, error.reason) == ("data/shards/x is missing", Path("data/shards/x"), "is missing")


def ended(rank, *reports):
    """Return a worker process that has ended after some reports."""
    (pipe, end), (sentinel, process) = Pipe(), Pipe()
    for report in reports:
        end.send(report)
    end.close()
    process.close()
    return processes._Worker(rank, SimpleNamespace(sentinel=sentinel), pipe)


def test_a_connection_error_of_a_worker_is_not_taken_for_its_end():
    with pytest.raises(ConnectionRefusedError):
        processes._until_finished([ended(0, ConnectionRefusedError("the staging server"))])
    with pytest.raises(InputError, match=r"^worker 0 of the 1 on this host was killed"):
        processes._until_finished([ended(0)])


def test_a_stop_when_the_first_worker_is_not_there():
    processes._stop([])
    with pytest.raises(Stopped, match="all other workers stop too"):
        processes._stop([ended(1)])
    first = ended(0)
    first.is_connected = True
    with pytest.raises(InputError, match=r"^worker 0 of the 1 on this host was killed"):
        processes._stop([first])


@pytest.mark.parametrize(
    ("changes", "environment", "words"),
    [
        ({"train.workers": 3}, {}, "train.batch_size must be a multiple of workers (3)"),
        ({"train.workers": 2}, {"TF_CONFIG": "x"}, "TF_CONFIG must be such as"),
        ({}, {"TF_CONFIG": config(HOSTS)}, "TF_CONFIG has 3 workers"),
        (
            {"train.workers": 2},
            {"TF_CONFIG": config(HOSTS[:2], index=1), "DVC_STAGE": "train"},
            "run `python stages/train.py` here, and `dvc repro` as worker 0 alone",
        ),
    ],
)
def test_the_stage_refuses_in_one_sentence(tmp_path, changes, environment, words):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    set_params(tmp_path, {"repo": str(ROOT), **changes})
    command = [sys.executable, "-X", "importtime", ROOT / "stages/train.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 1 and not done.stdout
    imports, said = (
        [line for line in done.stderr.splitlines() if line.startswith("import time:") is x] for x in (True, False)
    )
    assert len(said) == 1 and said[0].startswith("train: ") and words in said[0], said
    assert not any("tensorflow" in line for line in imports)
