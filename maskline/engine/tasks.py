"""One function that maps tasks, over the processes of this machine or over a Ray cluster.

The environment variable MASKLINE_ENGINE chooses: `pool`, the default, or `ray`. The results do not depend on it.
"""

import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from maskline.engine import pool
from maskline.errors import InputError

VARIABLE = "MASKLINE_ENGINE"
INSTALL = "`make repro RAY=1`, or `pip install --require-hashes -r requirements-ray.txt`"

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def engine_name() -> Literal["pool", "ray"]:
    """Return the engine that the environment names.

    Raises:
        InputError: the name is unknown, or Ray is not installed.
    """
    name = os.environ.get(VARIABLE) or "pool"
    if name == "pool":
        return "pool"
    if name != "ray":
        raise InputError(f"the environment variable {VARIABLE} must be pool or ray. Received: {name}")
    if importlib.util.find_spec("ray") is None:
        raise InputError(f"{VARIABLE}=ray needs the package ray, which is missing; install it with {INSTALL}.")
    return "ray"


def map_tasks(
    work: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    size: Callable[[_Task], int],
    description: str,
    workers: int | None,
) -> list[_Result]:
    """Return `work` of each task, computed in other processes.

    Every engine guarantees:

    - Order: results are in the order of the tasks.
    - Progress: if stderr is a terminal, a bar counts the images of finished tasks.
    - Errors: the caller gets an exception of `work` with its type and message; if several tasks fail, that of the first
      in order. No further task starts.
    - Ctrl-C: only the caller raises KeyboardInterrupt. Workers print nothing.
    - Killed processes: if the caller is killed, its workers end.
    - When the function returns or raises, no task runs.

    Args:
        work: a function that can be imported by name. It, the tasks and the results must be picklable.
        tasks: the arguments of `work`, one for each call.
        size: returns the number of images in a task.
        description: of the work, such as 'writing shards', for the bar and the error.
        workers: number of tasks at a time; None takes one for each core.

    Raises:
        InputError: the workers were killed, or the engine that the environment names cannot be used.
    """
    if engine_name() == "ray":
        from maskline.engine import ray

        return ray.map_tasks(work, tasks, size, description, workers)
    return pool.map_tasks(work, tasks, size, description, workers)
