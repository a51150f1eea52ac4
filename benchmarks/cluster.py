"""Run preprocess over two Ray nodes and an S3 server, all on loopback, and compare time and bytes with the pool's.

    python benchmarks/cluster.py data/raw --size 256 256 --per-shard 16

The nodes are of one core each, with folders of their own; `benchmarks/soak.py --nodes 10` also kills nodes.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import ROOT, digests, write_pipeline

sys.path.insert(0, str(ROOT / "tests/support"))

from ray_nodes import QUIET, Cluster, cluster
from s3_server import Server, s3_server

STAGE = [sys.executable, str(ROOT / "stages/preprocess.py")]
SHARDS = ["data/shards"]
FIRST = 5  # the last number in the address of the first node that may be killed


@dataclass
class Tally:
    """The observations of runs in which a node was killed."""

    runs: int = 0
    in_time: int = 0
    equal: int = 0
    left: int = 0
    seconds: list[float] = field(default_factory=list)


def params(height: int, width: int, per_shard: int) -> dict[str, int]:
    sizes = {"height": height, "width": width, "examples_per_shard": per_shard}
    return {f"preprocess.{key}": value for key, value in sizes.items()}


def prepare(folder: Path, raw: Path, changes: dict[str, Any]) -> None:
    """Write the pipeline's files into `folder`, with `raw` as the output of download."""
    write_pipeline(folder, changes)
    (folder / "data").mkdir()
    (folder / "data/raw").symlink_to(raw.resolve())


def start(folder: Path, **environment: str) -> subprocess.Popen:
    """Start preprocess without the shards of an earlier run."""
    shutil.rmtree(folder / "data/shards", ignore_errors=True)
    return subprocess.Popen(STAGE, cwd=folder, env=os.environ | QUIET | environment)


def timed(folder: Path, **environment: str) -> float:
    began = time.monotonic()
    code = start(folder, **environment).wait()
    assert code == 0, code
    return time.monotonic() - began


def environment_of(nodes: Cluster, s3: Server) -> dict[str, str]:
    chosen = {"MASKLINE_ENGINE": "ray", "RAY_ADDRESS": nodes.address, "MASKLINE_STAGING": "s3://masks/area"}
    return chosen | s3.environment


def compare(folder: Path) -> bool:
    """Print seconds and requests of both engines, and return whether their shards are equal."""
    print(f"pool: {timed(folder):.1f} s", flush=True)
    expected = digests(folder, SHARDS)
    with s3_server() as s3, cluster(s3.environment) as nodes:
        nodes.add(3)
        nodes.add(4)
        s3.requests.clear()
        seconds = timed(folder, **environment_of(nodes, s3))
        requests: Counter = s3.count()
        files = sum(name.endswith(".tfrecord") for name in expected)
        print(f"two nodes: {seconds:.1f} s; requests for {files} shards: {dict(requests)}; left: {len(s3.names())}")
        return digests(folder, SHARDS) == expected and not s3.names()


def kill_nodes(folder: Path, kills: int) -> Tally:
    """Kill one of three nodes at a random moment of each run, and count what came of it."""
    found = Tally()
    timed(folder)
    expected = digests(folder, SHARDS)
    with s3_server() as s3, cluster(s3.environment) as nodes:
        nodes.add(3)
        nodes.add(4)
        whole = timed(folder, **environment_of(nodes, s3))
        for number in range(kills):
            node = nodes.add(FIRST + number % 200)
            began, process = time.monotonic(), start(folder, **environment_of(nodes, s3))
            time.sleep(random.uniform(0.2, 0.9) * whole)
            found.in_time += process.poll() is None
            nodes.kill(node)
            found.runs += 1
            found.equal += process.wait() == 0 and digests(folder, SHARDS) == expected
            found.left += len(s3.names())
            found.seconds.append(round(time.monotonic() - began, 1))
            print(found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare preprocess over two Ray nodes with the pool.")
    parser.add_argument("raw", type=Path, help="a folder that download wrote, such as data/raw")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--per-shard", type=int, default=64, help="examples in a shard")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder) / "run", options.raw, params(*options.size, options.per_shard))
        equal = compare(Path(folder) / "run")
    print("equal bytes, and nothing is left" if equal else "OTHER BYTES, or something is left")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
