"""Checks of files that others made, because reading a pipe, a device or a very large file may never end."""

import os
import stat
from pathlib import Path

from maskline.errors import InputError

MOST = 16 * 2**20  # bytes of a list or a JSON file


def require_regular(path: Path) -> None:
    """Raise InputError if a path exists and is a folder, a pipe, a device or a broken link."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise InputError(f"{path} is a link to a missing file; replace it by the file.") from None
        return
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); replace it by a file.") from None
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is a folder, a pipe or a device where a file is expected; move it elsewhere.")


def read_small(path: Path) -> bytes:
    """Return the content of a list or a JSON file.

    Raises:
        InputError: the path is not a regular file, or is larger than such a file can be.
        FileNotFoundError, NotADirectoryError: the path does not exist.
    """
    require_regular(path)
    with open(path, "rb") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise InputError(f"{path} is larger than {MOST} bytes; replace it by a list or a JSON file that is whole.")
    return data
