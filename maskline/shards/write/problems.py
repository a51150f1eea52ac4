"""The problems of a task's examples, collected so that one error can count them."""

import contextlib
from collections.abc import Iterator

from maskline.errors import InputError


@contextlib.contextmanager
def collected(problems: list[str]) -> Iterator[None]:
    """Add the InputError of one example to `problems` instead of raising it."""
    try:
        yield
    except InputError as error:
        problems.append(str(error))


def raise_if_any(problems: list[str]) -> None:
    """Raise the first problem, with the number of the others, as one InputError."""
    if problems:
        more = f" ({len(problems) - 1} more such problems)" if len(problems) > 1 else ""
        raise InputError(problems[0] + more)
