"""The DVC repository of the current folder: folders as DVC names them, and its errors as sentences."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskline.errors import InputError


@contextmanager
def dvc_errors(subject: str) -> Iterator[None]:
    """Turn DVC's errors into sentences that name what it was to read.

    Raises:
        InputError: the current folder is not in a DVC repository, or DVC cannot read the subject.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError

    try:
        yield
    except NotDvcRepoError:
        raise InputError(f"{Path.cwd()} is not in a DVC repository; run the command in the project's folder.") from None
    except DvcException as error:
        raise InputError(f"DVC cannot read {subject}: {str(error).rstrip('.')}; fix that and try again.") from None


def inside(root: str, folder: Path) -> Path:
    """Return a folder's path relative to the root of its repository.

    Raises:
        InputError: the folder is not in the repository.
    """
    path = Path(os.path.relpath(folder.resolve(), Path(root).resolve()))
    if ".." in path.parts:
        raise InputError(f"--folder must be the folder of a dvc.yaml inside {root}. Received: {folder}")
    return path
