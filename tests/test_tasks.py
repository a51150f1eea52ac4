"""The engine that the environment names, before any of its tasks runs."""

import importlib.util
from types import SimpleNamespace

import pytest

from maskline.engine import ray, tasks
from maskline.errors import ArtifactError, InputError


def double(number):
    return 2 * number


def damaged(number):
    raise ArtifactError(f"raw/{number}", "is damaged")


def test_a_worker_s_artifact_error_keeps_its_path_and_reason():
    with pytest.raises(ArtifactError) as caught:
        tasks.map_tasks(damaged, [1, 2], lambda _: 1, "reading", 2)
    assert (str(caught.value), str(caught.value.path), caught.value.reason) == (
        "raw/1 is damaged",
        "raw/1",
        "is damaged",
    )


@pytest.mark.parametrize("name", ["", "pool"])
def test_the_pool_is_the_default(name, monkeypatch):
    monkeypatch.setenv("MASKLINE_ENGINE", name)
    assert tasks.engine_name() == "pool"
    monkeypatch.delenv("MASKLINE_ENGINE")
    assert tasks.engine_name() == "pool"
    assert tasks.map_tasks(double, [3, 1, 2], lambda _: 1, "doubling", 2) == [6, 2, 4]


def test_another_value_is_one_sentence(monkeypatch):
    monkeypatch.setenv("MASKLINE_ENGINE", "Dask")
    with pytest.raises(InputError) as caught:
        tasks.map_tasks(double, [1], lambda _: 1, "doubling", 1)
    assert str(caught.value) == "the environment variable MASKLINE_ENGINE must be pool or ray. Received: Dask"


def test_without_ray_one_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setenv("MASKLINE_ENGINE", "ray")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        tasks.map_tasks(double, [1], lambda _: 1, "doubling", 1)
    assert str(caught.value) == (
        "MASKLINE_ENGINE=ray needs the package ray, which is missing; install it with `make repro RAY=1`, "
        "or `pip install --require-hashes -r requirements-ray.txt`."
    )


@pytest.mark.parametrize("address", ["127.0.0.9:1", "nowhere"])
def test_a_cluster_that_is_not_there_is_one_sentence_at_once(address, monkeypatch):
    monkeypatch.setenv("MASKLINE_ENGINE", "ray")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError) as caught:
        tasks.map_tasks(double, [1], lambda _: 1, "doubling", 1)
    assert str(caught.value).startswith(f"the Ray cluster {address} cannot be reached (")
    assert str(caught.value).endswith("; correct RAY_ADDRESS, or remove it to use this machine alone.")


def test_lost_nodes_have_their_time_from_the_last_result_on(monkeypatch):
    """Tasks end at 100 seconds, after which there is no node."""
    finished, clock = iter([1, 0, 0, 0]), iter([0.0, 100.0, 102.0, 131.0])
    task = SimpleNamespace(remote=lambda *_: object())
    monkeypatch.setattr("ray.remote", lambda **_: lambda work: task)
    monkeypatch.setattr("ray.put", lambda work: work)
    monkeypatch.setattr("ray.get", lambda _: 4)
    monkeypatch.setattr("ray.wait", lambda running, timeout: (running[: next(finished)], []))
    monkeypatch.setattr(ray, "_others", lambda: [])
    monkeypatch.setattr(ray, "_cores_of_nodes", lambda: [])
    monkeypatch.setattr(ray, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    run = ray._Run(double, [2, 3], None, "doubling", 1)
    assert run.unfinished()
    assert [run.next_finished(), run.next_finished()] == [[0], []]
    with pytest.raises(InputError, match="no node to work on for 30 seconds while doubling"):
        run.next_finished()
