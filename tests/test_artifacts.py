import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from maskline.files import artifacts
from maskline.files.artifacts import (
    json_bytes,
    new_directory,
    npz_bytes,
    sha256,
    stored_png,
    write_bytes,
    write_json,
)

ROOT = Path(__file__).parents[1]
PIXELS = hnp.arrays(
    np.uint8,
    st.one_of(
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)),
    ),
)
WRITE_PAST_A_LIMIT = """
import resource, signal, sys
from pathlib import Path
from maskline.files.artifacts import new_directory, write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    if sys.argv[1] == "file":
        write_bytes(Path("out/file.bin"), bytes(20_000))
    else:
        with new_directory(Path("out")) as folder:
            (folder / "small").write_bytes(b"new")
            (folder / "file.bin").write_bytes(bytes(20_000))
except OSError as error:
    print(type(error).__name__, error.filename)
"""


def partials(folder):
    return [p.name for p in folder.rglob("*") if p.name.endswith((".partial", ".old"))]


def fail(number):
    def raising(*_):
        raise OSError(number, os.strerror(number))

    return raising


def test_write_replaces_and_makes_folders(tmp_path):
    path = tmp_path / "new" / "deep er" / "file é.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_content_and_names_the_file(tmp_path, monkeypatch, step):
    path = tmp_path / "file.bin"
    write_bytes(path, b"old")
    monkeypatch.setattr(artifacts.os, step, fail(errno.ENOSPC))
    with pytest.raises(OSError) as caught:
        write_bytes(path, b"new")
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_limit_of_the_system_keeps_the_old_content(tmp_path, kind):
    """A real failing write, which the system refuses part of the way."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file.bin").write_bytes(b"old")
    command = [sys.executable, "-c", WRITE_PAST_A_LIMIT, kind]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.strip() == f"OSError {'out/file.bin' if kind == 'file' else 'out'}", done.stderr
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "file.bin"]
    assert (tmp_path / "out" / "file.bin").read_bytes() == b"old"


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(artifacts.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "file.bin", b"new")
    assert os.listdir(tmp_path) == []


def test_new_directory_takes_the_place_of_the_old(tmp_path):
    out = tmp_path / "parent" / "out"
    for content in ("one", "two"):
        with new_directory(out) as folder:
            assert list(folder.iterdir()) == []
            (folder / content).write_text(content)
            assert folder != out
        assert os.listdir(out) == [content]
    assert partials(tmp_path) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_new_directory_keeps_the_old_when_the_block_raises(tmp_path, error):
    out = tmp_path / "out"
    with new_directory(out) as folder:
        (folder / "kept").write_text("old")
    with pytest.raises(error), new_directory(out) as folder:
        (folder / "kept").write_text("new")
        raise error
    assert (out / "kept").read_text() == "old" and os.listdir(tmp_path) == ["out"]


def test_new_directory_restores_the_old_when_the_new_cannot_take_its_place(tmp_path, monkeypatch):
    out, replace = tmp_path / "out", os.replace
    with new_directory(out) as folder:
        (folder / "kept").write_text("old")
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(
            artifacts.os, "replace", lambda a, b: fail(errno.EIO)() if str(a).endswith("partial") else replace(a, b)
        )
        with new_directory(out) as folder:
            (folder / "kept").write_text("new")
    assert (out / "kept").read_text() == "old" and os.listdir(tmp_path) == ["out"]


def test_new_directory_clears_what_a_killed_run_left(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "torn").write_text("half")
    with new_directory(tmp_path / "out") as folder:
        (folder / "whole").write_text("all")
    assert os.listdir(tmp_path / "out") == ["whole"] and os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [1, {"er": -float("inf")}]}])
def test_json_refuses_what_json_cannot_say(tmp_path, value):
    (tmp_path / "file.json").write_text("old")
    with pytest.raises(ValueError):
        write_json(tmp_path / "file.json", value)
    assert (tmp_path / "file.json").read_text() == "old"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(VALUES)
def test_json_reads_back_in_its_order(value):
    data = json_bytes(value)
    assert json.loads(data) == value and data.endswith(b"\n")
    assert data == json_bytes(json.loads(data))


@given(PIXELS)
def test_stored_png_holds_the_pixels(pixels):
    data = stored_png(pixels)
    image = Image.open(io.BytesIO(data))
    image.verify()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    assert stored_png(np.asfortranarray(pixels)) == data


@pytest.mark.parametrize("shape", [(300, 400, 3), (1, 65534), (1, 65535), (2, 65535), (5, 13106)])
def test_stored_png_of_more_than_one_block(shape):
    """A stored block holds 65535 bytes: sizes about it, and well above."""
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stored_png(pixels)))), pixels)


def test_stored_png_of_equal_blocks():
    pixels = np.zeros((3 * 65535 // 15, 14), np.uint8)
    assert not np.asarray(Image.open(io.BytesIO(stored_png(pixels)))).any()


ARRAYS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
    hnp.arrays(st.sampled_from([np.uint8, np.int64, np.float32, "U3"]), hnp.array_shapes(min_dims=0, min_side=0)),
    max_size=3,
)


@given(ARRAYS)
def test_npz_loads_with_the_same_arrays(arrays):
    data = npz_bytes(arrays)
    assert npz_bytes(arrays) == data
    with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
        assert loaded.files == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)
            assert loaded[name].dtype == array.dtype


def test_npz_refuses_objects():
    with pytest.raises(ValueError):
        npz_bytes({"array": np.array([{}], object)})


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
