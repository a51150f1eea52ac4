"""The problems of a task's examples, gathered so that one run counts them all."""

import contextlib
from collections.abc import Iterator

from maskline.errors import InputError


@contextlib.contextmanager
def collected(problems: list[str]) -> Iterator[None]:
    """Note an example's problem and go on, so that one run counts all of a task's."""
    try:
        yield
    except InputError as error:
        problems.append(str(error))


def raise_if_any(problems: list[str]) -> None:
    """Raise the first problem, with the number of the others."""
    if problems:
        more = f" ({len(problems) - 1} more such problems beside it)" if len(problems) > 1 else ""
        raise InputError(problems[0] + more)
