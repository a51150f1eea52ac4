"""Tasks mapped over a Ray cluster."""

from collections.abc import Callable, Sequence
from typing import TypeVar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def map_tasks(
    work: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    size: Callable[[_Task], int],
    description: str,
    workers: int | None,
) -> list[_Result]:
    """Return `work` of each task, computed on a Ray cluster; see `tasks.map_tasks`."""
    raise NotImplementedError
