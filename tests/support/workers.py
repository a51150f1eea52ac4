"""Processes that train together on the loopback interface."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def run_workers(script: Path, out: Path, count: int, *arguments: str, seconds: float) -> None:
    """Run `script OUT RANK ARGUMENTS` as each of `count` workers, and wait for all.

    Raises:
        AssertionError: one of them failed; the message ends with what it printed.
    """
    ports = free_ports(count)
    started = [_start([sys.executable, script, out, str(rank), *arguments], rank, ports) for rank in range(count)]
    try:
        said = [process.communicate(timeout=seconds)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    for process, text in zip(started, said, strict=True):
        assert process.returncode == 0, text[-4000:]


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _start(command: list, rank: int, ports: list[int]) -> subprocess.Popen[str]:
    environment = os.environ | {
        "TF_CONFIG": json.dumps(
            {
                "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
                "task": {"type": "worker", "index": rank},
            }
        ),
        "TF_NUM_INTRAOP_THREADS": "1",  # sums depend on the number of threads
        "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS, TESTS / "support"))),
    }
    return subprocess.Popen(
        command, env=environment, cwd=TESTS.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
