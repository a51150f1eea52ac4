"""Preprocess on Ray nodes that share nothing but loopback, with staging on an S3 server, beside the pool."""

import os
import subprocess
import sys

import pytest
from project import ROOT, digests
from raw_data import pairs, write_raw
from ray_nodes import QUIET, cluster
from s3_server import s3_server

BUILD = """
import sys
from maskline.errors import InputError
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
if __name__ == "__main__":
    size = int(sys.argv[1])
    try:
        build_shards(Path("raw"), Path("shards"), Target(size, size, "png"), 4, SplitOptions(3, None, 0.25))
    except InputError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped")
"""


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(s3):
    """Yield a cluster with two nodes."""
    with cluster(s3.environment) as started:
        started.add(3)
        started.add(4)
        yield started


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a data set of 18 shards' worth of train, test, and files that no task needs."""
    write_raw(tmp_path / "raw", {"train": pairs(76, 1), "test": pairs(12, 2, "t")})
    return tmp_path


def start(folder, size=32, **environment):
    """Start preprocess in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(size)], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | QUIET | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip


def shards(folder, **environment):
    """Run preprocess, and return the digests of what it wrote, which it removes, and what it printed."""
    process = start(folder, **environment)
    said, _ = process.communicate()
    found = digests(folder, "shards")
    for name in found:
        (folder / name).unlink()
    return found, said, process.returncode


def on_cluster(nodes, s3):
    return {
        "MASKLINE_ENGINE": "ray",
        "RAY_ADDRESS": nodes.address,
        "MASKLINE_STAGING": "s3://masks/area",
        **s3.environment,
    }


def test_two_nodes_give_the_bytes_of_the_pool_with_few_requests(folder, nodes, s3):
    expected, said, code = shards(folder)
    assert (said, code) == ("", 0) and len(expected) > 20
    s3.requests.clear()
    found, said, code = shards(folder, **on_cluster(nodes, s3))
    assert (said, code) == ("", 0)
    assert found == expected
    assert s3.names() == []
    counts = s3.count()
    print(counts)
