"""One function that maps tasks over worker processes, with a progress bar and whole answers to Ctrl-C and kills."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from tqdm import tqdm

from maskline.engine.cores import cores
from maskline.errors import InputError


def map_tasks(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    size: Callable[[Any], int],
    description: str,
    workers: int | None,
) -> list[Any]:
    """Map `work` over `tasks` in worker processes, in order, with a progress bar on a terminal."""
    workers = min(workers or cores(), len(tasks))
    results = []
    with (
        tqdm(total=sum(map(size, tasks)), desc=description, unit=" images", disable=None, file=sys.stderr) as bar,
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_die_with_parent) as pool,
    ):
        try:
            for task, result in zip(tasks, _start(pool, work, tasks), strict=True):
                results.append(result)
                bar.update(size(task))
        except BrokenProcessPool:
            raise InputError(
                f"a worker was killed while {description}, most likely for want of memory; "
                "free some, or let fewer CPUs work with `taskset --cpu-list 0 dvc repro`."
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _start(pool: ProcessPoolExecutor, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """Hand out the tasks to workers that inherit a blocked SIGINT: Ctrl-C is the parent's to answer."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.map(work, tasks)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _die_with_parent() -> None:
    """End this worker when its parent is gone, even by SIGKILL."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
