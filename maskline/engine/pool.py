"""Tasks mapped over worker processes of this machine."""

import _thread
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from tqdm import tqdm

from maskline.engine.allocator import keep_freed_memory
from maskline.engine.cores import cores
from maskline.errors import InputError
from maskline.files.digests import known_digests, trust

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def map_tasks(
    work: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    size: Callable[[_Task], int],
    description: str,
    workers: int | None,
) -> list[_Result]:
    """Return `work` of each task, computed in worker processes of this machine; see `tasks.map_tasks`.

    On Ctrl-C, workers finish their current task. A killed worker raises one InputError. When the function returns or
    raises, all workers have ended.

    Args:
        work: a function that can be imported by name. It, the tasks and the results must be picklable.
        tasks: the arguments of `work`, one for each call.
        size: returns the number of images in a task.
        description: of the work, such as 'writing shards', for the bar and the error.
        workers: number of processes; None takes one for each core.

    Raises:
        InputError: a worker was killed.
    """
    workers = max(1, min(workers or cores(), len(tasks)))
    results = []
    with (
        tqdm(total=sum(map(size, tasks)), desc=description, unit=" images", disable=None, file=sys.stderr) as bar,
        ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(known_digests(),)
        ) as pool,
    ):
        try:
            for task, result in zip(tasks, _start(pool, work, tasks), strict=True):
                results.append(result)
                bar.update(size(task))
        except BrokenProcessPool:
            raise InputError(
                f"a worker was killed while {description}, most likely because memory ran out; "
                "free some memory, or use fewer cores: put `taskset --cpu-list 0` before the command."
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _start(pool: ProcessPoolExecutor, work: Callable[[_Task], _Result], tasks: Sequence[_Task]) -> Iterator[_Result]:
    """Submit the tasks to workers that inherit a blocked SIGINT, so that only the parent answers Ctrl-C."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.map(work, tasks)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _begin(known: dict[tuple, str]) -> None:
    _die_with_parent()
    keep_freed_memory()
    trust(known)


def _die_with_parent() -> None:
    """End this worker when its parent ends, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    # Thread.start waits for the thread for ever if memory runs out while it starts; this raises an error or returns.
    _thread.start_new_thread(wait, ())
