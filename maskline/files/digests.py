"""The SHA-256 of files, each read once: by a process, or by choice on a machine.

The environment variable MASKLINE_CHECKSUMS chooses. With `always`, the default, each process reads every byte itself.
With `once`, what was read is remembered in `.checksums`, and a file is read again only when its size, inode, device or
modification time differs. Bits that turn on the disk change none of these, so `once` does not see them.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from maskline.errors import InputError
from maskline.files.artifacts import sha256

VARIABLE = "MASKLINE_CHECKSUMS"
MEMORY = Path(".checksums")  # in the pipeline's folder; Git and DVC ignore it
_SETTLED = 2.0  # seconds; a file older than this cannot change without a new modification time


class _Version(NamedTuple):
    """What tells a file from an earlier version of it without reading it: absolute path and time in nanoseconds."""

    path: str
    device: int
    inode: int
    size: int
    modified: int


_known: dict[_Version, str] = {}


def check_choice() -> None:
    """Check what the environment chooses.

    Raises:
        InputError: MASKLINE_CHECKSUMS is neither `always` nor `once`.
    """
    _is_remembered()


def cached_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex, read again only if the file may have changed."""
    return cached_digests([path])[0]


def cached_digests(paths: Sequence[Path]) -> list[str]:
    """Return the SHA-256 of each file in hex. Only files that may have changed are read, in threads."""
    start = time.time()
    versions = [_version(path) for path in paths]
    if not _known.keys() >= set(versions) and _is_remembered():
        _known.update(_load())
    unread = {version: path for version, path in zip(versions, paths, strict=True) if version not in _known}
    with ThreadPoolExecutor() as pool:
        read = dict(zip(unread, pool.map(sha256, unread.values()), strict=True))
    _learn(read, start)
    return [read.get(version) or _known[version] for version in versions]


def read_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex, read now."""
    start = time.time()
    version = _version(path)
    digest = sha256(path)
    _learn({version: digest}, start)
    return digest


def has_sha256(path: Path, wanted: str) -> bool:
    """Return whether a file has this SHA-256. The file is read before the answer is no."""
    return cached_sha256(path) == wanted or read_sha256(path) == wanted


def known_digests() -> dict[tuple, str]:
    """Return what this process has read, for `trust` in a process that it starts."""
    return {tuple(version): digest for version, digest in _known.items()}


def trust(known: dict[tuple, str]) -> None:
    """Take over what another process of this machine has read, so that one stage does not read a file twice."""
    _known.update({_Version(*version): digest for version, digest in known.items()})


def _is_remembered() -> bool:
    choice = os.environ.get(VARIABLE) or "always"
    if choice not in ("always", "once"):
        raise InputError(f"the environment variable {VARIABLE} must be always or once. Received: {choice}")
    return choice == "once"


def _version(path: Path) -> _Version:
    stat = os.stat(path)
    return _Version(os.path.abspath(path), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _learn(digests: dict[_Version, str], start: float) -> None:
    """Keep the digests of files that had not been written just before `start`, when reading began."""
    latest = (start - _SETTLED) * 1e9
    new = {version: digest for version, digest in digests.items() if _known.get(version) != digest}
    new = {version: digest for version, digest in new.items() if version.modified <= latest}
    _known.update(new)
    if new and _is_remembered():
        _save(new)


def _load() -> dict[_Version, str]:
    with contextlib.suppress(OSError), open(MEMORY, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return dict(_entries(file))
    return {}


def _save(new: dict[_Version, str]) -> None:
    """Add digests to the memory, and drop those of files that have changed or gone."""
    try:
        with open(MEMORY, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            kept = {version: digest for version, digest in _entries(file) if _is_current(version)} | new
            file.truncate(0)
            file.writelines(map(_line, kept, kept.values()))
    except OSError as error:
        _say(f"{MEMORY} cannot be written ({error.strerror}), so the next stage reads every byte.")


@cache
def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _is_current(version: _Version) -> bool:
    try:
        return _version(Path(version.path)) == version
    except OSError:
        return False


def _line(version: _Version, digest: str) -> bytes:
    text = json.dumps([*version, digest]).encode()
    return _seal(text) + b" " + text + b"\n"


def _entries(file: BinaryIO) -> Iterator[tuple[_Version, str]]:
    """Yield what the memory holds, without damaged lines."""
    for line in file:
        seal, _, text = line.rstrip(b"\n").partition(b" ")
        if seal == _seal(text):
            *version, digest = json.loads(text)
            yield _Version(*version), digest


def _seal(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()
