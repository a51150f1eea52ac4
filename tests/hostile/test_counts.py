"""Files of counts that lie: a sentence each, and no more memory than the file has bytes. And counts on a full disk."""

import contextlib
import io
import math
import pickle
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from maskline.contracts.counts import new_counts, read_matrices
from maskline.files.artifacts import new_directory, npz_bytes

GOOD = {"filenames": np.array(["a", "b"]), "matrices": np.arange(8).reshape(2, 2, 2)}


def npy(header: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


def described(shape: str, descr: str = "<i8", data: bytes = b"") -> bytes:
    return npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n", data)


def archive(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return out.getvalue()


def array(values: object) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(values))
    return out.getvalue()


NAMES = array(["a", "b"])
LIES = {
    "huge shape": (archive(filenames=NAMES, matrices=described("(2, 1000000, 1000000)")), "matrices does not hold"),
    "huge names": (archive(filenames=described("(1000000000000,)", "<U9"), matrices=NAMES), "filenames does not hold"),
    "shape of nothing": (archive(filenames=described("(10**12,)", "<U0"), matrices=NAMES), ""),
    "negative shape": (archive(filenames=NAMES, matrices=described("(-2, -2, 2)", data=bytes(64))), ""),
    "pickle": (
        archive(filenames=npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}\n", pickle.dumps([print, 1]))),
        "filenames does not hold object",
    ),
    "compressed": (archive(zipfile.ZIP_DEFLATED, filenames=array(["a"] * 10**7)), "filenames is compressed"),
    "deep header": (archive(filenames=npy("(" * 9000)), ""),
    "code as header": (archive(filenames=npy("__import__('os').abort()")), ""),
    "later version": (archive(filenames=b"\x93NUMPY\x03\x00" + bytes(200)), r"npy version \(3, 0\)"),
    "numbers as names": (archive(filenames=array([1, 2]), matrices=array(GOOD["matrices"])), "not a list of texts"),
    "negative counts": (archive(filenames=NAMES, matrices=array(-GOOD["matrices"])), "a count of pixels is negative"),
    "no archive": (b"PK no more", ""),
    "nothing": (b"", ""),
}


def test_the_honest_are_read():
    filenames, matrices = read_matrices(io.BytesIO(npz_bytes(GOOD)), 2)
    assert filenames.tolist() == ["a", "b"] and np.array_equal(matrices, GOOD["matrices"])


@pytest.mark.parametrize("lie", LIES)
def test_what_lies_is_told_within_bounded_memory(lie):
    data, reason = LIES[lie]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=reason or ".") as caught:
            read_matrices(io.BytesIO(data), 2)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data) + (4 << 20)
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_cut_file_is_told_at_every_length():
    data = npz_bytes(GOOD)
    for length in range(len(data)):
        with pytest.raises(ValueError):
            read_matrices(io.BytesIO(data[:length]), 2)


def test_no_count_is_a_hole_in_the_disk(tmp_path):
    """A hole that a full disk cannot fill kills the process when it is assigned."""
    with new_counts(tmp_path, [str(number) for number in range(300)], 20, 5, 15):
        for path in tmp_path.glob("*.npy"):
            about = path.stat()
            assert about.st_blocks * 512 >= about.st_size > 0, path.name
            assert math.prod(np.load(path, mmap_mode="r").shape) > 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_an_error_that_leaves_nothing_behind(small_disk):
    names = [str(number) for number in range(2000)]
    with (
        pytest.raises(OSError, match="No space left") as caught,
        new_directory(small_disk / "evaluation") as folder,
        new_counts(folder, names, 20, 5, 15),
    ):
        pass
    assert Path(caught.value.filename).name == "evaluation"
    assert not list(small_disk.iterdir())


def test_a_limit_on_the_size_of_files_is_an_error_too(tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with contextlib.ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        stack.enter_context(pytest.raises(OSError, match="File too large"))
        with new_directory(tmp_path / "evaluation") as folder, new_counts(folder, ["a"] * 2000, 20, 5, 15):
            pass
    assert not list(tmp_path.iterdir())
