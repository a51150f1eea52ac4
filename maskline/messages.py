"""What a user reads of an error: one printable line, and the name of the log that holds a traceback."""

import contextlib
import errno
import os
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from maskline.errors import ArtifactError, InputError

LOG = Path("maskline.log")  # ignored by Git and DVC
_LONGEST = 200  # characters of another library's message


def printable(text: str) -> str:
    """Return text with control characters as escapes, so that no name from outside can steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(error: BaseException, longest: int | None = _LONGEST) -> str:
    """Return the start of an error's message on one line, None: all of it, or its type where it has none."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


@contextlib.contextmanager
def without_stderr() -> Iterator[None]:
    """Discard what is written to stderr, also by compiled libraries, whose first messages Python cannot silence."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def sentence(error: Exception, remedy: Callable[[ArtifactError], str], again: str) -> str:
    """Return the sentence in which an error reaches the user; that of an unexpected error names a log.

    Args:
        error: the error.
        remedy: returns what follows the sentence of an artifact that is missing or damaged, without a full stop.
        again: what to do once the cause of a system's error is removed, such as 'try again'.
    """
    if isinstance(error, ArtifactError):
        return f"{error}{remedy(error)}."
    if isinstance(error, InputError):
        return str(error)
    if system := system_error(error):
        return os_sentence(system, again)
    return unexpected_sentence(error)


def system_error(error: BaseException) -> OSError | None:
    """Return the error of the system that an error is, or that a full disk made another library turn into it."""
    if isinstance(error, OSError):
        return error
    text = str(error)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if os.strerror(number) in text:
            file = re.search(rf"(\S+); {os.strerror(number)}", text)  # as TensorFlow writes it
            return OSError(number, os.strerror(number), file[1] if file else None)
    return None


def os_sentence(error: OSError, again: str) -> str:
    """Return a sentence on an error of the system.

    Args:
        error: the error.
        again: what to do once the cause is removed, such as 'try again'.
    """
    file = error.filename or "an output"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full while writing {file}; free some space and {again}."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission for {file}; change its owner or mode and {again}."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"too many files are open to open {file}; raise the limit with `ulimit -n 4096` and {again}."
    return f"{error.strerror or one_line(error)} ({file}); fix it and {again}."


def unexpected_sentence(error: BaseException) -> str:
    """Write an error's traceback to a log, and return a sentence with its cause and the log's name.

    The log is `LOG` in the current folder, or a temporary file where that cannot be written.
    """
    return f"an unexpected error stopped the work ({_cause(error)}); please report it with {_logged(error)}."


def _cause(error: BaseException) -> str:
    """Return an error's type and message on one line; of TensorFlow's errors, the Python error that they wrap."""
    name, text = type(error).__name__, " ".join(str(error).split())
    if type(error).__module__.startswith("tensorflow."):
        text = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:\w+\]| name: *$", "", text.partition(" Traceback (most recent")[0])
        wrapped = re.search(r"\b[A-Z]\w*(?:Error|Exception|Interrupt)\b:? .*", text)
        if wrapped:
            return wrapped[0].strip()[:_LONGEST]
    return f"{name}: {' '.join(text.split())[:_LONGEST]}" if text else name


def _logged(error: BaseException) -> str:
    """Write the traceback, and return where it is, as the end of a sentence."""
    text = "".join(traceback.format_exception(error)).encode(errors="backslashreplace")
    try:
        LOG.write_bytes(text)
        return f"the traceback in {LOG}"
    except OSError:
        pass
    try:
        descriptor, name = tempfile.mkstemp(prefix="maskline-", suffix=".log")
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        return f"the traceback in {name}"
    except OSError:
        return "this sentence, as no disk could take the traceback"
