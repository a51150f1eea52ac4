"""Outputs that are links into DVC's cache, as `cache.type` makes them: damage, checkouts, kills and forced runs."""

import os
import re
import shutil
import signal
import subprocess

import pytest
from processes import none_left
from project import ENVIRONMENT, copy_of, digests, dvc, git, run

OUTPUTS = ("data", "metrics", "dvc.lock")
LINK = "hardlink"  # `symlink` passes too
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory, first_result):
    """The project after its first run, with a cache that copies, committed."""
    return copy_of(first_result, tmp_path_factory.mktemp("project") / "maskline")


@pytest.fixture(scope="module")
def before(project):
    """Turn the outputs into links, and return their digests as copies, to which each test comes back."""
    copies = digests(project, *OUTPUTS)
    dvc(project, "config", "--local", "cache.type", LINK)
    dvc(project, "checkout", "--relink")
    return copies


def shard(folder):
    return next((folder / "data/shards").glob("train-*"))


def turn_a_byte(path):
    """Turn a byte as a disk does: size, time and mode stay."""
    stat = os.stat(path)
    os.chmod(path, 0o644)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    with open(path, "r+b") as file:
        file.write(content)
    os.utime(path, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    os.chmod(path, 0o444)


def check_links(folder):
    """Check that every output is a link into the cache."""
    cache = {os.stat(path).st_ino for path in (folder / ".dvc/cache/files").rglob("*") if path.is_file()}
    files = [path for path in (folder / "data").rglob("*") if path.is_file() and path.name != "README.md"]
    assert files and all(os.stat(path).st_ino in cache for path in files)


def test_there_is_one_copy_of_every_output_and_they_equal_those_of_a_copying_cache(project, before):
    check_links(project)
    assert digests(project, *OUTPUTS) == before


def test_a_second_run_does_nothing(project, before):
    assert "up to date" in dvc(project, "repro")
    assert digests(project, *OUTPUTS) == before


def test_outputs_that_were_removed_are_checked_out(project, before):
    shutil.rmtree(project / "data/shards")
    shutil.rmtree(project / "data/model")
    dvc(project, "checkout")
    assert digests(project, *OUTPUTS) == before
    assert "up to date" in dvc(project, "repro")


def test_a_stage_that_is_run_by_hand_does_not_write_into_the_cache(project, before):
    old = shard(project).stat().st_ino
    run(project, "python", "stages/preprocess.py")
    assert shard(project).stat().st_ino != old
    dvc(project, "checkout", "--relink")
    assert digests(project, *OUTPUTS) == before


def test_the_sentence_on_a_turned_byte_says_what_mends_it_in_the_cache_too(project, before):
    damaged = next((project / "data/raw").rglob("*.tfrecord-*"))
    turn_a_byte(damaged)
    reading = ["repro", "--force", "--single-item", "preprocess"]
    output = dvc(project, *reading, check=False)
    assert f"{damaged.relative_to(project)} is not the file that" in output
    renew, again = re.search("so run `([^`]*)` and then `([^`]*)`", output).groups()
    run(project, "sh", "-c", renew)
    run(project, *again.split())
    dvc(project, *reading)
    assert digests(project, *OUTPUTS) == before


def test_killed_in_training_a_forced_run_goes_on_to_the_same_bytes(project, before):
    """Without --force, DVC takes the result from its run cache."""
    shutil.rmtree(project / ".checkpoints")
    process = subprocess.Popen(
        ["dvc", "repro", "--force", "--single-item", "train"], cwd=project, text=True, env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("epoch   3"):
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert none_left(process.pid)
    assert "train: resumes after step" in dvc(project, "repro", "--force", MASKLINE_CHECKSUMS="once")
    check_links(project)
    assert digests(project, *OUTPUTS) == before
    assert git(project, "status", "--porcelain") == ""
    assert [path.suffix for path in (project / ".checkpoints").iterdir()] == [".finished"]
