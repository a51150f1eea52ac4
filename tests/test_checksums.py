"""Digests of files: read once a process, but never when they may have changed."""

import hashlib
import os
import time

import pytest

from maskline.files import checksums


@pytest.fixture
def reads(monkeypatch):
    """The files that were read for their digest."""
    found, sha256 = [], checksums.sha256
    monkeypatch.setattr(checksums, "sha256", lambda path: found.append(str(path)) or sha256(path))
    return found


def write(path, data, age):
    path.write_bytes(data)
    when = time.time() - age
    os.utime(path, (when, when))


def test_a_file_that_rests_is_read_once(tmp_path, reads):
    write(tmp_path / "shard", b"pixels", age=60)
    assert {checksums.cached_sha256(tmp_path / "shard") for _ in range(3)} == {hashlib.sha256(b"pixels").hexdigest()}
    assert reads == [str(tmp_path / "shard")]


def test_a_file_written_just_now_is_read_each_time(tmp_path, reads):
    """A second write within the clock's tick would leave size and time as they are."""
    for data in (b"pixels", b"Pixels"):
        write(tmp_path / "shard", data, age=0)
        assert checksums.cached_sha256(tmp_path / "shard") == hashlib.sha256(data).hexdigest()
    assert len(reads) == 2


@pytest.mark.parametrize(("data", "age"), [(b"Pixels", 50), (b"more pixels", 60)], ids=["time", "size"])
def test_a_changed_file_is_read_again(tmp_path, reads, data, age):
    write(tmp_path / "shard", b"pixels", age=60)
    checksums.cached_sha256(tmp_path / "shard")
    write(tmp_path / "shard", data, age)
    assert checksums.cached_sha256(tmp_path / "shard") == hashlib.sha256(data).hexdigest()
    assert len(reads) == 2


def test_a_file_in_anothers_place_is_read(tmp_path, reads):
    for name, data in (("a", b"pixels"), ("b", b"Pixels")):
        write(tmp_path / name, data, age=60)
        os.utime(tmp_path / name, (1e9, 1e9))
    checksums.cached_sha256(tmp_path / "a")
    os.replace(tmp_path / "b", tmp_path / "a")
    assert checksums.cached_sha256(tmp_path / "a") == hashlib.sha256(b"Pixels").hexdigest()


@pytest.mark.parametrize("jump", [-1e8, 1e8])
def test_a_changed_file_is_seen_when_the_clock_jumps(tmp_path, monkeypatch, jump):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    before = checksums.cached_sha256(path)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    path.write_bytes(b"behind")
    assert checksums.cached_sha256(path) != before
