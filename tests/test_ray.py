"""Preprocess on Ray nodes that share nothing but loopback, with staging on an S3 server, compared with the pool."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import none_left
from project import ROOT, clone, copy_of, digests, dvc, run
from raw_data import Pair, encoded, pairs, write_raw
from ray_nodes import QUIET, cluster

BUILD = """
import sys
from pathlib import Path
from maskline.errors import InputError
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
if __name__ == "__main__":
    try:
        build_shards(Path("raw"), Path("shards"), Target(256, 256, "png"), 4, SplitOptions(3, None, 0.25))
    except InputError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped")
"""
SHARDS, FILES = 23, 4  # of the folder's 76 train images, a quarter held out, and 12 test images


@pytest.fixture
def folder(tmp_path):
    write_raw(tmp_path / "raw", {"train": pairs(76, 1), "test": pairs(12, 2, "t")})
    return tmp_path


def start(folder, **environment):
    """Start preprocess in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | QUIET | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip


def result(process, folder):
    """Wait for preprocess; return what it printed, and the digests of its files."""
    said, _ = process.communicate()
    return said, digests(folder, "shards") if (folder / "shards").exists() else None


def pool(folder):
    """Return what preprocess prints and writes without Ray, and remove what it wrote."""
    said, found = result(start(folder), folder)
    run(folder, "rm", "-rf", "shards")
    return said, found


def wait_for_shards(process, s3, count):
    while s3.count()["PUT"] < FILES + count:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def test_two_nodes_give_the_bytes_of_the_pool(folder, on_nodes, s3):
    """Each shard is read by one request from each file that it needs, written by one and brought by one."""
    expected = pool(folder)
    assert expected[0] == "" and len([name for name in expected[1] if name.endswith(".tfrecord")]) == SHARDS
    assert result(start(folder, **on_nodes), folder) == expected
    assert s3.names() == []
    surveys, crossings, listing = 5, 3, 1  # of masks in two tasks; shards whose examples are in two files; to clear
    assert s3.count()["PUT"] == FILES + SHARDS
    assert s3.count()["GET"] <= surveys + SHARDS + crossings + SHARDS + listing
    assert s3.count()["POST"] == 1


def test_a_bad_mask_on_a_node_is_the_sentence_of_the_pool(folder, on_nodes, s3):
    bad = Pair("bad.png", encoded(np.zeros((40, 48, 3), np.uint8)), encoded(np.full((40, 48), 77, np.uint8)))
    write_raw(folder / "raw", {"train": [*pairs(20, 1), bad], "test": pairs(8, 2, "t")})
    said, written = pool(folder)
    assert "bad.png has the label 77" in said and said.count("\n") == 1 and written is None
    assert result(start(folder, **on_nodes), folder) == (said, None)
    assert s3.names() == []


def test_nodes_without_a_staging_area_are_refused(folder, on_nodes):
    said, written = result(start(folder, **on_nodes | {"MASKLINE_STAGING": ""}), folder)
    assert said == (
        "the Ray cluster has 3 nodes, which do not share a disk; name a place that all of them reach in "
        "MASKLINE_STAGING: a shared folder, or s3://bucket/folder.\n"
    )
    assert written is None


@pytest.mark.slow
def test_a_node_killed_in_the_middle(folder, nodes, on_nodes, s3):
    expected = pool(folder)
    extra = nodes.add(5)
    process = start(folder, **on_nodes)
    wait_for_shards(process, s3, SHARDS // 3)
    nodes.kill(extra)
    assert result(process, folder) == expected
    assert s3.names() == []


@pytest.mark.slow
def test_ctrl_c_leaves_no_task_running(folder, on_nodes, s3, interruptible):
    process = start(folder, **on_nodes)
    wait_for_shards(process, s3, 2)
    os.killpg(process.pid, signal.SIGINT)
    assert result(process, folder) == ("stopped\n", None)
    assert none_left(process.pid)
    s3.requests.clear()
    time.sleep(3)
    assert s3.requests == [] and s3.names() == []


@pytest.mark.slow
def test_a_missing_bucket_is_one_sentence(folder, on_nodes):
    said, written = result(start(folder, **on_nodes | {"MASKLINE_STAGING": "s3://other/area"}), folder)
    assert said.startswith("s3://other/area/maskline-") and "MASKLINE_STAGING must name a place" in said
    assert said.count("\n") == 1 and written is None


@pytest.mark.slow
def test_nodes_that_are_all_lost_end_the_run_in_one_sentence(folder, s3, on_nodes):
    with cluster(s3.environment) as lost:
        node = lost.add(6)
        s3.requests.clear()
        process = start(folder, **on_nodes | {"RAY_ADDRESS": lost.address})
        wait_for_shards(process, s3, 2)
        lost.kill(node)
        said, written = result(process, folder)
    assert said.startswith("the Ray cluster has had no node to work on for 30 seconds while ")
    assert said.count("\n") == 1 and written is None and s3.names() == []


@pytest.mark.slow
def test_without_an_address_a_cluster_of_this_machine_starts_and_ends(folder):
    expected = pool(folder)
    process = start(folder, MASKLINE_ENGINE="ray")
    assert result(process, folder) == expected
    assert none_left(process.pid)


@pytest.mark.slow
def test_the_engine_leaves_no_trace_in_the_pipeline(tmp_path, on_nodes, first_result):
    """Neither the lock file nor DVC's status depends on where preprocess ran."""
    project = copy_of(first_result, tmp_path / "project")
    assert "didn't change" in dvc(project, "repro", "preprocess", **on_nodes)
    dvc(project, "repro", "--force", "--single-item", "preprocess", **on_nodes)
    assert run(project, "git", "status", "--short") == ""
    for environment in ({}, on_nodes):
        assert "preprocess" not in dvc(project, "status", "preprocess", **environment)
    other = clone(project, tmp_path / "other")
    shutil.copytree(project / "data/raw", other / "data/raw")
    dvc(other, "repro", "--force", "--single-item", "preprocess", **on_nodes)
    assert run(other, "git", "status", "--short") == ""
