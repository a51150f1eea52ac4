"""A byte that the disk or the line turned: told with the file's name, or without effect; never a wrong number."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_run import make_run
from raw_data import pairs, write_raw

from maskline.comparison.compare import Result
from maskline.comparison.revisions import _check, _parse, _Place
from maskline.contracts.about import About
from maskline.contracts.manifest import read_manifest
from maskline.contracts.neighbors import FOLDER as NEIGHBORS
from maskline.errors import InputError
from maskline.files.artifacts import write_json
from maskline.files.checksums import NAME as SUMS
from maskline.files.checksums import check_sums, parse_sums, write_sums
from maskline.files.records import write_record
from maskline.files.yaml12 import read_yaml
from maskline.shards.read.originals import find_originals
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.training.checkpoint import Checkpoints, State

ROOT = Path(__file__).parents[1]
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]
FLIPS = 16  # random offsets in each file

# Each kind of file that a stage reads of an earlier one, and who reads it.
KINDS = {
    "data/raw/source.json": "preprocess",
    "data/raw/tiny/1.0.0/dataset_info.json": "preprocess",
    "data/raw/tiny/1.0.0/tiny-train.tfrecord-00000-of-00002": "preprocess",
    "data/raw/tiny/1.0.0/tiny-test.tfrecord-00001-of-00002": "evaluate",
    "data/weights/encoder.json": "train",
    "data/weights/encoder.weights.h5": "train",
    "data/shards/manifest.json": "train",
    "data/shards/train-00001-of-00002.tfrecord": "train",
    "data/shards/test-00000-of-00001.tfrecord": "evaluate",
    "data/shards/audit.json": "report",
    "data/shards/examples/index.json": "report",
    "data/shards/examples/train-1.png": "report",
    "data/shards/examples/neighbors/test-0.png": "report",
    "data/model/model.keras": "evaluate",
    "data/model/history.csv": "report",
    "data/model/network.json": "report",
    "data/evaluation/about.json": "report",
    "data/evaluation/counts.npz": "report",
    "data/evaluation/images.csv": "report",
    "data/evaluation/pictures.json": "report",
    "data/evaluation/pictures/0/truth.png": "report",
    "data/evaluation/figures.json": "report",
    "data/evaluation/suspects.json": "report",
    "data/evaluation/suspects/1/truth.png": "report",
    "metrics/confusion.csv": "report",
    "metrics/calibration.csv": "report",
    "metrics/sizes.csv": "report",
    "metrics/trimap.csv": "report",
}


@pytest.fixture
def entry(monkeypatch):
    """The module that every stage runs through."""
    monkeypatch.syspath_prepend(ROOT / "stages")
    import entry

    yield entry
    sys.modules.pop("entry")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run's folders: real raw data and shards, a made-up model and its evaluation."""
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    write_raw(folder / "data/raw", {"train": pairs(8), "validation": pairs(2, 1), "test": pairs(3, 2)})
    shutil.rmtree(folder / "data/shards")
    choice = SplitOptions(seed=3, limit=None, validation_fraction=0.25)
    build_shards(folder / "data/raw", folder / "data/shards", Target(24, 16, "raw"), 4, choice, workers=1)
    shutil.copytree(folder / "data/evaluation/pictures/0", folder / "metrics/samples")
    noise = np.random.default_rng(0)
    (folder / NEIGHBORS).mkdir(exist_ok=True)
    (folder / NEIGHBORS / "test-0.png").write_bytes(noise.bytes(4000))
    (folder / "data/model/model.keras").write_bytes(noise.bytes(4000))
    (folder / "data/evaluation/counts.npz").write_bytes(noise.bytes(4000))
    write_json(folder / "data/weights/encoder.json", {"encoder": "unet", "weights": "file"})
    (folder / "data/weights/encoder.weights.h5").write_bytes(noise.bytes(4000))
    return folder


@pytest.fixture
def run(finished, tmp_path, monkeypatch, entry):
    """A run of one's own, recorded as its stages would, which is the working folder."""
    folder = Path(shutil.copytree(finished, tmp_path / "run"))
    monkeypatch.chdir(folder)
    for stage in ("download", "preprocess", "train", "evaluate"):
        entry.record_outputs(STAGES[stage])
    return folder


def flipped(path, count=FLIPS):
    """Turn one byte of a file at each of many random offsets in turn, and put the file back at the end."""
    whole = path.read_bytes()
    rng = np.random.default_rng(len(whole))
    for offset in rng.integers(0, len(whole), count).tolist():
        damaged = bytearray(whole)
        damaged[offset] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        yield offset
    path.write_bytes(whole)


def test_every_stage_takes_what_was_recorded(run, entry):
    for stage in STAGES:
        entry.check_inputs(STAGES, stage)


@pytest.mark.parametrize("name", KINDS)
def test_a_turned_byte_of_a_stages_input_is_told_by_name(run, entry, name):
    for offset in flipped(Path(name)):
        with pytest.raises(InputError, match=re.escape(f"{name} is not the file that data/")):
            entry.check_inputs(STAGES, KINDS[name])
            pytest.fail(f"byte {offset}")
    entry.check_inputs(STAGES, KINDS[name])


@pytest.mark.parametrize("name", ["data/raw", "data/shards"])
def test_a_turned_byte_of_the_sums_themselves_is_told(run, name):
    sums = Path(name, SUMS)
    for offset in flipped(sums, 4 * FLIPS):
        with pytest.raises(InputError, match=re.escape(str(sums))):
            check_sums(Path(name), Path(name))
            pytest.fail(f"byte {offset}")


def test_a_file_that_is_gone_or_was_never_recorded_is_told(run, entry):
    audit = Path("data/shards/audit.json")
    content = audit.read_bytes()
    audit.unlink()
    with pytest.raises(InputError, match=r"audit\.json is missing, but data/shards/SHA256SUMS records it"):
        entry.check_inputs(STAGES, "train")
    audit.write_bytes(content)
    Path("data/shards/extra").write_bytes(b"")
    with pytest.raises(InputError, match="data/shards/extra is not the file that"):
        entry.check_inputs(STAGES, "train")
    Path("data/shards/extra").unlink()
    Path("data/shards", SUMS).unlink()
    with pytest.raises(InputError, match=r"data/shards/SHA256SUMS is missing$"):
        entry.check_inputs(STAGES, "train")


def test_every_input_but_the_users_own_is_recorded(run):
    recorded = {
        (sums.parent / name).resolve() for sums in run.glob(f"data/*/{SUMS}") for name in parse_sums(sums.read_bytes())
    }
    deps = {Path(dep) for stage in STAGES.values() for dep in stage["deps"] if not dep.startswith("${repo}/")}
    files = {file for dep in deps for file in (dep.rglob("*") if dep.is_dir() else [dep]) if file.is_file()}
    assert {str(file) for file in files if file.resolve() not in recorded and file.name != SUMS} == {"baseline.json"}


def test_the_shard_readers_find_a_turned_byte_by_themselves(run):
    shards = Path("data/shards")
    manifest = read_manifest(shards)
    for offset in flipped(shards / "train-00001-of-00002.tfrecord"):
        with pytest.raises(InputError, match=r"train-00001-of-00002\.tfrecord is not the file the manifest records"):
            ShardReader(shards, manifest, "train")
            pytest.fail(f"byte {offset}")


def test_the_readers_of_raw_data_find_a_turned_byte_by_themselves(run):
    raw = Path("data/raw")
    names = ShardReader(Path("data/shards"), read_manifest(Path("data/shards")), "test").names
    for offset in flipped(raw / "tiny/1.0.0/tiny-test.tfrecord-00001-of-00002"):
        with pytest.raises(InputError, match=r"tiny-test\.tfrecord-00001-of-00002 is damaged"):
            originals = find_originals(raw, "test", names)
            [originals.read(index) for index in range(len(names))]
            pytest.fail(f"byte {offset}")


def test_a_checkpoint_with_a_turned_byte_is_never_gone_on_from(tmp_path, capsys):
    checkpoints = Checkpoints(tmp_path, "a run")
    for step in (1, 2):
        checkpoints.save(State(step, [], [np.full((4, 5), step, np.float32)], []))
    last = sorted(tmp_path.rglob("*.npz"))[-1]
    header = last.read_bytes().index(b"'<f4'")
    offsets = [header + 3, *range(0, last.stat().st_size, 7)]  # '<f2' would be read, and half of the bytes left alone
    whole = last.read_bytes()
    for offset in offsets:
        last.write_bytes(whole[:offset] + bytes([whole[offset] ^ 6]) + whole[offset + 1 :])
        assert checkpoints.load([(4, 5)]).step == 1, offset
        assert f"{last} is damaged or of another run" in capsys.readouterr().out


def test_counts_of_a_revision_with_a_turned_byte_are_told(tmp_path):
    arrays = {"filenames": np.array(["a.png", "b.png"]), "matrices": np.arange(8).reshape(2, 2, 2)}
    np.savez(tmp_path / "counts.npz", **arrays)
    about = About(
        classes=["sky", "tree"],
        shards="2" * 64,
        test_split="1" * 64,
        resolution="model",
        inference={},
        versions={},
        conventions={},
    )
    write_record(tmp_path / "about.json", about)
    write_sums(tmp_path)
    place = _Place(Path(), "/", "main")

    def read() -> Result:
        counts, about, sums = ((tmp_path / name).read_bytes() for name in ("counts.npz", "about.json", SUMS))
        _check({"counts.npz": counts, "about.json": about}, sums, place)
        return _parse(counts, about, place, "main")

    assert read().matrices.tolist() == arrays["matrices"].tolist()
    for name in ("counts.npz", "about.json", SUMS):
        for offset in flipped(tmp_path / name, 4 * FLIPS):
            with pytest.raises(InputError, match="main: data/evaluation is damaged: "):
                read()
                pytest.fail(f"{name} byte {offset}")


def test_the_sums_are_those_of_sha256sum(tmp_path):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder/é.json").write_text("abc")
    write_sums(tmp_path / "a folder")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (tmp_path / "a folder" / SUMS).read_text() == f"{abc}  é.json\n"
