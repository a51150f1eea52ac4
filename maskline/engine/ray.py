"""Tasks mapped over a Ray cluster: that of RAY_ADDRESS, or else one that starts on this machine for this process."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from maskline.engine.cores import cores
from maskline.errors import InputError
from maskline.messages import one_line

ADDRESS = "RAY_ADDRESS"
_RETRIES = 10  # of a task whose worker or node was lost
_POLL = 2.0  # seconds between two looks at the nodes
_PATIENCE = 30.0  # seconds without any node before the run ends: another may join
_CANCELLING = 30.0  # seconds that canceled tasks have to end

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def map_tasks(
    work: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    size: Callable[[_Task], int],
    description: str,
    workers: int | None,
    cores_each: int = 1,
) -> list[_Result]:
    """Return `work` of each task, computed on a Ray cluster; see `tasks.map_tasks`.

    The tasks of a lost worker or node run again elsewhere. On Ctrl-C and on an error, running tasks are stopped. The
    workers stay for the next call, and end with this process.

    Args:
        work: a function of maskline, whose code is sent to the nodes.
        tasks: the arguments of `work`, one for each call.
        size: returns the number of images in a task.
        description: of the work, for the bar and the errors.
        workers: number of tasks at a time; None takes as many as the cluster has cores for.
        cores_each: number of cores that a task uses at once; it takes no more than the smallest node has.

    Raises:
        InputError: the cluster cannot be reached, or lost its nodes or a task's worker again and again.
    """
    connect()
    with tqdm(total=sum(map(size, tasks)), desc=description, unit=" images", disable=None, file=sys.stderr) as bar:
        run = _Run(work, tasks, workers, description, cores_each)
        try:
            while run.unfinished():
                for index in run.next_finished():
                    bar.update(size(tasks[index]))
        finally:
            run.cancel()
    return run.results


class _Run:
    """The tasks of one call: those that wait, those on the cluster, and the results of the others."""

    def __init__(
        self,
        work: Callable[[Any], Any],
        tasks: Sequence[Any],
        workers: int | None,
        description: str,
        cores_each: int,
    ) -> None:
        import ray

        self._each = min([cores_each, *_cores_of_nodes()])
        self._function: Any = ray.remote(max_retries=_RETRIES, num_cpus=self._each)(_call)
        self._work = ray.put(work)
        self._tasks, self._workers, self._description = tasks, workers, description
        self._folder = None if _others() else os.getcwd()  # relative paths mean the same on this machine
        self._started = 0
        self._running: dict[Any, int] = {}
        self._errors: dict[int, Exception] = {}
        self._seen = time.monotonic()  # when there was a node last
        self.results: list[Any] = [None] * len(tasks)

    def unfinished(self) -> bool:
        """Return whether tasks are left; start some.

        Raises:
            Exception: that of the first task in order that failed, once all tasks before it have ended.
        """
        if self._errors and min(self._errors) < min(self._running.values(), default=len(self._tasks)):
            raise self._errors[min(self._errors)]
        while not self._errors and self._started < len(self._tasks) and len(self._running) < self._most():
            task = self._function.remote(self._work, self._tasks[self._started], self._folder)
            self._running[task] = self._started
            self._started += 1
        return bool(self._running)

    def next_finished(self) -> list[int]:
        """Wait for tasks, at most some seconds, and return the indices of those that succeeded."""
        import ray

        done, _ = ray.wait(list(self._running), timeout=_POLL)
        if done:
            self._seen = time.monotonic()
        else:
            self._refuse_lost_nodes()
        return [index for index in map(self._finish, done) if index not in self._errors]

    def cancel(self) -> None:
        """Stop the tasks that run, and wait for their end."""
        import ray

        for task in self._running:
            ray.cancel(task, force=True)
        if self._running:
            ray.wait(list(self._running), num_returns=len(self._running), timeout=_CANCELLING)

    def _finish(self, task: Any) -> int:
        import ray
        from ray import exceptions

        index = self._running.pop(task)
        try:
            self.results[index] = ray.get(task)
        except exceptions.RayTaskError as error:
            self._errors[index] = error.cause
        except (exceptions.WorkerCrashedError, exceptions.NodeDiedError, exceptions.OutOfMemoryError):
            self._errors[index] = InputError(
                f"a worker was killed again and again while {self._description}, most likely because memory ran out on "
                "its node; give Ray fewer cores there: start the node with a lower --num-cpus."
            )
        except exceptions.RayError as error:
            self._errors[index] = InputError(
                f"the Ray cluster failed while {self._description} ({one_line(error)}); run again."
            )
        return index

    def _most(self) -> int:
        """Return how many tasks may be on the cluster: the nodes have the next ones at hand, and no more wait there."""
        return self._workers or max(2 * _cluster_cores() // self._each, 2)

    def _refuse_lost_nodes(self) -> None:
        if _cluster_cores():
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _PATIENCE:
            raise InputError(
                f"the Ray cluster has had no node to work on for {_PATIENCE:.0f} seconds while {self._description}; "
                "start nodes with `ray start --address=...`, and run again."
            )


def _call(work: Callable[[_Task], _Result], task: _Task, folder: str | None) -> _Result:
    if folder:
        os.chdir(folder)
    return work(task)


def connect() -> None:
    """Connect this process to the cluster, once.

    Raises:
        InputError: the cluster of RAY_ADDRESS cannot be reached, or none starts on this machine.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # as the pool's workers; Ray's 15 starves on a busy machine
    import ray
    from ray._private import worker

    if ray.is_initialized():
        return
    address = os.environ.get(ADDRESS)
    worker.listen_error_messages = lambda *_: None  # prints whatever the logging level is
    terminate = signal.getsignal(signal.SIGTERM)  # Ray replaces it
    try:
        _touch(address)
        with _code() as folder:
            ray.init(
                address=address or "local",
                num_cpus=None if address else cores(),
                include_dashboard=None if address else False,
                runtime_env={"working_dir": folder},
                logging_level=logging.CRITICAL,
                log_to_driver=False,
            )
    except Exception as error:
        if address:
            problem = f"the Ray cluster {address} cannot be reached"
            remedy = f"correct {ADDRESS}, or remove it to use this machine alone"
        else:
            problem = "no Ray cluster can be started on this machine"
            remedy = "free some memory, or unset MASKLINE_ENGINE to work without Ray"
        raise InputError(f"{problem} ({one_line(error)}); {remedy}.") from None
    finally:
        signal.signal(signal.SIGTERM, terminate)


def _touch(address: str | None) -> None:
    """Raise OSError or ValueError if nobody listens at `host:port`, where Ray would try for minutes."""
    if address and "://" not in address and address not in ("auto", "local"):
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), _POLL).close()


@contextlib.contextmanager
def _code() -> Iterator[str]:
    """Yield a folder with this package alone, which Ray sends to the nodes.

    It goes before a checkout that a node may have at the same path as this one.
    """
    package = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(prefix="maskline-") as folder:
        shutil.copytree(package, Path(folder) / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        yield folder


def refuse_several_nodes(remedy: str) -> None:
    """Refuse a cluster whose nodes do not all see this machine's disk.

    Raises:
        InputError: the cluster has other nodes than that of this process.
    """
    connect()
    others = _others()
    if others:
        raise InputError(f"the Ray cluster has {len(others) + 1} nodes, which do not share a disk; {remedy}.")


def _others() -> list[dict[str, Any]]:
    """Return the nodes other than that of this process."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    return [node for node in _nodes() if node["NodeID"] != here]


def _nodes() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _cluster_cores() -> int:
    return sum(_cores_of_nodes())


def _cores_of_nodes() -> list[int]:
    """Return the cores of each node that has some."""
    found = [int(node["Resources"].get("CPU", 0)) for node in _nodes()]
    return [count for count in found if count]
