"""Evaluation in chunks of whole batches gives the bytes of evaluation in one piece."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT, digests
from raw_data import PALETTE, pairs_of_shapes, source, write_raw
from scipy.special import softmax

from maskline.contracts.manifest import Shard, Split
from maskline.engine import pool, staging
from maskline.errors import InputError
from maskline.evaluation import chunk, chunks, evaluate, figures, splits
from maskline.evaluation.chunks import whole_batches
from maskline.files.yaml12 import read_yaml
from maskline.params.evaluate import EvaluateParams
from maskline.prediction.runtime import Sampling
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

CLASSES = 3
OPTIONS = {
    "plain": {},
    "averaged": {"flip": True, "scales": [0.5, 1.0]},
    "windows": {"window": 32},
    "samples": {"dropout_samples": 2},
    "crf": {"refine": "crf"},
    "grabcut": {"refine": "grabcut"},
    "native": {"resolution": "native"},
    "native in windows": {"resolution": "native", "window": 32, "flip": True},
}


# All options with one fit, and with each other fit what it changes.
CASES = [
    *(("stretch", name) for name in OPTIONS),
    *((fit, name) for fit in ("pad", "crop") for name in ("plain", "native", "native in windows")),
]


class Network:
    """Stands in for a model: the probabilities of an image depend on all images of its batch and on their order."""

    stride, fixed_size = 1, None

    def __init__(self, *_: object) -> None:
        self.sampling = Sampling("fake", CLASSES, True, 0, self._probabilities)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return self._probabilities(images, 0)

    def _probabilities(self, images: np.ndarray, number: int) -> np.ndarray:
        near = -np.abs(images[..., None, :].astype(np.float32) - PALETTE[:CLASSES]).sum(axis=-1) / 60
        near[:, 5:20, 5:25] = np.roll(near[:, 5:20, 5:25], 1, axis=-1)  # a region to check
        order = np.arange(1, len(images) + 1, dtype=np.float32)[:, None, None, None]
        others = (images.astype(np.float32).mean(axis=(1, 2, 3), keepdims=True) * order).mean()
        return softmax(near + np.sin(others + number + np.arange(CLASSES)), axis=-1).astype(np.float32)


@pytest.fixture(scope="module", params=["stretch"])
def ready(request, tmp_path_factory):
    """A folder with a source, its shards, and a file in the place of a model."""
    folder = tmp_path_factory.mktemp(request.param)
    counts = {"train": 4, "validation": 5, "test": 10}
    roles = {role: pairs_of_shapes(count, count, role) for role, count in counts.items()}
    write_raw(folder / "raw", roles, source(splits={role: role for role in roles}), files=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        target = Target(32, 48, "raw", request.param)
        build_shards(folder / "raw", folder / "shards", target, 3, SplitOptions(1, None, 0.1))
    (folder / "model.keras").write_bytes(b"weights")
    return folder


@pytest.fixture
def fake(monkeypatch):
    """Predict with the stand-in."""
    monkeypatch.setattr(splits, "_model", lambda *_: None)
    monkeypatch.setattr(splits, "KerasRuntime", Network)
    monkeypatch.setattr(chunk, "load_model", lambda *_: None)
    monkeypatch.setattr(chunk, "KerasRuntime", Network)
    monkeypatch.setattr(figures, "RESAMPLES", 10)


@pytest.fixture(params=["here", "copies"])
def in_chunks(request, monkeypatch, tmp_path):
    """Return a function that from then on maps tasks as other processes get them: on this disk, or with copies.

    The function returns the folder of copies.
    """
    place = tmp_path / "area"

    def start():
        chunk._runtime.cache_clear()
        monkeypatch.setattr(evaluate, "engine_name", lambda: "ray")
        monkeypatch.setattr(chunks, "map_tasks", mapped)
        place.mkdir()
        if request.param == "copies":
            monkeypatch.setattr(staging, "engine_name", lambda: "ray")
            monkeypatch.setenv(staging.VARIABLE, str(place))
        return place

    return start


def mapped(work, tasks, size, description, workers, cores_each):
    sent = pickle.loads(pickle.dumps((work, tasks)))
    return [pickle.loads(pickle.dumps(sent[0](task))) for task in sent[1]]


def run(folder, out, batch_size=4, **changes):
    values = read_yaml(ROOT / "params.yaml")["evaluate"] | {"samples": 2} | changes
    evaluate.evaluate(
        folder / "raw", folder / "shards", folder / "model.keras", out / "evaluation", out / "metrics",
        params=EvaluateParams.model_validate(values), batch_size=batch_size, seed=1,
    )  # fmt: skip
    return digests(out, "evaluation", "metrics")


@pytest.fixture(scope="module")
def whole(ready, tmp_path_factory):
    """Return a function that evaluates with some options in one piece, once for each."""
    found = {}

    def of(name):
        if name not in found:
            found[name] = run(ready, tmp_path_factory.mktemp("whole"), **OPTIONS[name])
        return found[name]

    return of


@pytest.mark.parametrize(("ready", "name"), CASES, indirect=["ready"])
def test_chunks_give_the_bytes_of_one_piece(ready, fake, whole, name, in_chunks, tmp_path):
    expected = whole(name)
    place = in_chunks()
    assert run(ready, tmp_path / "out", **OPTIONS[name]) == expected
    assert len(expected) > 30 and not list(place.iterdir())
    listed = (tmp_path / "out/metrics/suspects.csv").read_text()
    assert all(f",{role}," in listed for role in ("validation", "test"))


@given(st.lists(st.integers(1, 30), max_size=8), st.integers(1, 40), st.integers(1, 50))
def test_chunks_are_whole_batches_in_order(shards, batch_size, most):
    listed = [Shard(file=str(number), examples=count, bytes=0, sha256="") for number, count in enumerate(shards)]
    split = Split(examples=sum(shards), pixels=[], images_with_class=[], void_pixels=0, shards=listed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "_MOST", most)
        found = list(whole_batches(split, batch_size))
    assert [index for images in found for index in images] == list(range(sum(shards)))
    assert all(images and images.start % batch_size == 0 for images in found)
    assert all(len(images) <= max(most, batch_size) for images in found)
    if batch_size == 1 and most >= 30:
        assert len(found) == len(shards)


def test_a_probability_that_is_nan_is_named_as_in_one_piece(ready, fake, in_chunks, tmp_path, monkeypatch):
    def dead(self, images, number):
        return np.full((*images.shape[:3], CLASSES), np.nan, np.float32)

    monkeypatch.setattr(Network, "_probabilities", dead)
    sentences = []
    for out in ("whole", "chunks"):
        with pytest.raises(InputError) as caught:
            run(ready, tmp_path / out)
        sentences.append(str(caught.value))
        if out == "whole":
            in_chunks()
    assert sentences[0] == sentences[1] and "NaN" in sentences[0]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("file", ["test-00001-of-00004.tfrecord", "model.keras", "tiny-test.tfrecord-00001-of-00003"])
@pytest.mark.parametrize("in_chunks", ["copies"], indirect=True)
def test_a_copy_that_is_damaged_on_its_way_is_named(ready, fake, file, in_chunks, tmp_path, monkeypatch):
    place, put = in_chunks(), staging.Area._put

    def damaging(self, path, name):
        put(self, path, name)
        for copy in place.rglob(f"*-{file}"):
            data = bytearray(copy.read_bytes())
            data[len(data) // 2] ^= 1
            copy.write_bytes(data)

    monkeypatch.setattr(staging.Area, "_put", damaging)
    with pytest.raises(InputError, match=r"^the copy of .* in file://.*; run again\.$"):
        run(ready, tmp_path / "out", resolution="native")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
