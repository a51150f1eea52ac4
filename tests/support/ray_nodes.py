"""Ray nodes that share nothing but loopback: addresses, folders and current folders of their own."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from processes import living

HEAD = "127.0.0.2"  # Ray replaces 127.0.0.1 by the address of the machine
RAY = str(Path(sys.executable).with_name("ray"))
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
FAIR = {"RAY_worker_niceness": "0"}  # the default, 15, starves on a busy machine


def free_port() -> int:
    with socket.create_server((HEAD, 0)) as server:
        return server.getsockname()[1]


def end_with_parent() -> None:
    """Let Linux end a node, and `ray start --block` then its processes, if the test or benchmark is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Cluster:
    """A head without cores, to which a driver connects, and nodes that join it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        port = free_port()
        self.address = f"{HEAD}:{port}"
        self._folder, self._environment = folder, environment
        self._started: list[int] = []
        self.start(HEAD, "--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")

    def add(self, number: int, cores: int = 1) -> int:
        """Start a node on 127.0.0.`number`, and return the process that leads its session."""
        return self.start(f"127.0.0.{number}", f"--address={self.address}", f"--num-cpus={cores}")

    def start(self, address: str, *options: str) -> int:
        home = self._folder / address
        home.mkdir(exist_ok=True)
        command = [
            RAY,
            "start",
            f"--node-ip-address={address}",
            f"--temp-dir={home}/r",
            "--object-store-memory=80000000",
        ]
        log = home / "log"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [*command, *options, "--block"], cwd=home, stdout=out, stderr=out, start_new_session=True,
                preexec_fn=end_with_parent,
                env=os.environ | QUIET | FAIR | self._environment | {"TMPDIR": str(home), "HOME": str(home)},
            )  # fmt: skip
        self._started.append(process.pid)
        while "--block" not in log.read_text():
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        return process.pid

    def kill(self, leader: int) -> None:
        """Kill every process of a node at once, as a power cut does."""
        for process in living(leader):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def stop(self) -> None:
        for leader in reversed(self._started):
            self.kill(leader)


@contextlib.contextmanager
def cluster(environment: dict[str, str]) -> Iterator[Cluster]:
    """Yield a head on 127.0.0.2 whose nodes get `environment`; the path of its folder is short, as sockets need."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    started = None
    try:
        started = Cluster(folder, environment)
        yield started
    finally:
        if started:
            started.stop()
        shutil.rmtree(folder, ignore_errors=True)
