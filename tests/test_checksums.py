"""Digests of files: read once a process, or by choice on a machine, but never when they may have changed."""

import hashlib
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maskline.errors import ArtifactError, InputError
from maskline.files import digests
from maskline.files.checksums import check_sums, write_sums

ROOT = Path(__file__).parents[1]


@pytest.fixture
def reads(monkeypatch):
    """The files that were read for their digest."""
    found, sha256 = [], digests.sha256
    monkeypatch.setattr(digests, "sha256", lambda path: found.append(str(path)) or sha256(path))
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, where a stage has written two shards a while ago."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        write(Path(name), f"pixels of {name}".encode(), age=60)
    return Path()


def write(path, data, age):
    path.write_bytes(data)
    when = time.time() - age
    os.utime(path, (when, when))


def test_a_file_that_rests_is_read_once(tmp_path, reads):
    write(tmp_path / "shard", b"pixels", age=60)
    assert {digests.cached_sha256(tmp_path / "shard") for _ in range(3)} == {hashlib.sha256(b"pixels").hexdigest()}
    assert reads == [str(tmp_path / "shard")]


def test_a_file_written_just_now_is_read_each_time(tmp_path, reads):
    """A second write within the clock's tick would leave size and time as they are."""
    for data in (b"pixels", b"Pixels"):
        write(tmp_path / "shard", data, age=0)
        assert digests.cached_sha256(tmp_path / "shard") == hashlib.sha256(data).hexdigest()
    assert len(reads) == 2


@pytest.mark.parametrize(("data", "age"), [(b"Pixels", 50), (b"more pixels", 60)], ids=["time", "size"])
def test_a_changed_file_is_read_again(tmp_path, reads, data, age):
    write(tmp_path / "shard", b"pixels", age=60)
    digests.cached_sha256(tmp_path / "shard")
    write(tmp_path / "shard", data, age)
    assert digests.cached_sha256(tmp_path / "shard") == hashlib.sha256(data).hexdigest()
    assert len(reads) == 2


def test_a_file_in_anothers_place_is_read(tmp_path, reads):
    for name, data in (("a", b"pixels"), ("b", b"Pixels")):
        write(tmp_path / name, data, age=60)
        os.utime(tmp_path / name, (1e9, 1e9))
    digests.cached_sha256(tmp_path / "a")
    os.replace(tmp_path / "b", tmp_path / "a")
    assert digests.cached_sha256(tmp_path / "a") == hashlib.sha256(b"Pixels").hexdigest()


@pytest.mark.parametrize("jump", [-1e8, 1e8])
def test_a_changed_file_is_seen_when_the_clock_jumps(tmp_path, monkeypatch, jump):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    before = digests.cached_sha256(path)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    path.write_bytes(b"behind")
    assert digests.cached_sha256(path) != before


def stage(*names):
    """Read files as a process of its own does."""
    digests._known.clear()
    return digests.cached_digests([Path(name) for name in names])


def sha256_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


def choose(monkeypatch, choice):
    monkeypatch.setenv(digests.VARIABLE, choice)


def test_by_default_each_process_reads_every_byte(folder, reads):
    assert [stage("a", "b"), stage("a", "b")] == [[sha256_of("pixels of a"), sha256_of("pixels of b")]] * 2
    assert len(reads) == 4
    assert not digests.MEMORY.exists()


def test_by_choice_files_are_read_once_a_machine(folder, reads, monkeypatch):
    choose(monkeypatch, "once")
    assert [stage("a"), stage("a", "b"), stage("b")] == [
        [sha256_of("pixels of a")],
        [sha256_of("pixels of a"), sha256_of("pixels of b")],
        [sha256_of("pixels of b")],
    ]
    assert sorted(reads) == ["a", "b"]


def test_a_file_written_just_now_is_not_remembered(folder, reads, monkeypatch):
    choose(monkeypatch, "once")
    write(Path("a"), b"Pixels", age=0)
    assert [stage("a"), stage("a")] == [[sha256_of("Pixels")]] * 2
    assert len(reads) == 2


def test_an_ordinary_edit_is_seen(folder, monkeypatch):
    choose(monkeypatch, "once")
    write_sums(folder)
    stage("a")
    Path("a").write_bytes(b"Pixels of a")
    digests._known.clear()
    with pytest.raises(ArtifactError, match="a is not the file that SHA256SUMS records"):
        check_sums(folder, Path("a"))


def test_only_reading_every_byte_sees_a_turned_byte_that_left_size_and_time(folder, monkeypatch):
    choose(monkeypatch, "once")
    write_sums(folder)
    when = os.stat("a").st_mtime_ns
    with open("a", "r+b") as file:
        file.write(b"P")
    os.utime("a", ns=(when, when))
    digests._known.clear()
    check_sums(folder, Path("a"))
    digests._known.clear()
    choose(monkeypatch, "always")
    with pytest.raises(ArtifactError, match="a is not the file that SHA256SUMS records"):
        check_sums(folder, Path("a"))


def test_another_file_with_size_time_and_inode_of_the_old_one_is_never_refused(folder, monkeypatch):
    """An archive restores times, and the system gives a new file the number of a removed one."""
    choose(monkeypatch, "once")
    when = os.stat("a").st_mtime_ns
    stage("a")
    with open("a", "r+b") as file:
        file.write(b"P")
    os.utime("a", ns=(when, when))
    assert digests.has_sha256(Path("a"), sha256_of("Pixels of a"))
    assert stage("a") == [sha256_of("Pixels of a")]


@pytest.mark.parametrize("offset", range(0, 300, 7))
def test_a_damaged_memory_is_never_believed(folder, monkeypatch, offset):
    choose(monkeypatch, "once")
    digests_of_both = stage("a", "b")
    content = bytearray(digests.MEMORY.read_bytes())
    content[offset % len(content)] ^= 1
    digests.MEMORY.write_bytes(content)
    assert stage("a", "b") == digests_of_both
    digests.MEMORY.write_bytes(content[:offset])
    assert stage("a", "b") == digests_of_both
    assert len(digests._load()) == 2


def test_the_memory_forgets_files_that_changed_or_are_gone(folder, monkeypatch):
    choose(monkeypatch, "once")
    stage("a", "b")
    Path("b").unlink()
    write(Path("a"), b"other pixels", age=50)
    stage("a")
    assert list(digests._load().values()) == [sha256_of("other pixels")]


def test_without_a_place_to_remember_every_byte_is_read(folder, reads, monkeypatch, capsys):
    choose(monkeypatch, "once")
    digests._say.cache_clear()
    digests.MEMORY.mkdir()
    assert [stage("a"), stage("a")] == [[sha256_of("pixels of a")]] * 2
    assert len(reads) == 2
    said = ".checksums cannot be written (Is a directory), so the next stage reads every byte.\n"
    assert capsys.readouterr().out == said


def test_processes_remember_at_the_same_time(folder, monkeypatch):
    choose(monkeypatch, "once")
    names = [f"shard-{number}" for number in range(60)]
    for name in names:
        write(Path(name), name.encode(), age=60)
    read = "import sys; from maskline.files.digests import cached_sha256; [cached_sha256(n) for n in sys.argv[1:]]"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", read]
    processes = [subprocess.Popen([*command, *names[start::3]], env=environment) for start in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert {Path(version.path).name for version in digests._load()} == set(names)


def test_a_process_of_the_same_stage_does_not_read_a_file_again(folder, reads):
    stage("a")
    known = pickle.loads(pickle.dumps(digests.known_digests()))
    digests._known.clear()
    digests.trust(known)
    assert digests.cached_digests([Path("a"), Path("b").absolute()])[0] == sha256_of("pixels of a")
    assert reads == ["a", str(Path("b").absolute())]


def test_an_unknown_choice_is_refused(monkeypatch):
    choose(monkeypatch, "never")
    with pytest.raises(InputError, match=r"MASKLINE_CHECKSUMS must be always or once\. Received: never"):
        digests.check_choice()
