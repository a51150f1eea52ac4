"""SHA256SUMS: the digest of every file that a stage writes, in the format of `sha256sum --check`; and sealed bytes."""

import hashlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from maskline.errors import ArtifactError
from maskline.files.artifacts import sha256, write_bytes

NAME = "SHA256SUMS"
_SETTLED = 2.0  # seconds: a file written earlier than this cannot change without a change of its time


def write_sums(folder: Path, others: Iterable[Path] = ()) -> None:
    """Write SHA256SUMS into a folder: for its files, and for other files and folders, by path relative to it."""
    files = [file for place in (folder, *others) for file in _files(place)]
    lines = [f"{digest}  {_relative(file, folder)}\n" for file, digest in zip(files, _digests(files), strict=True)]
    write_bytes(folder / NAME, "".join(lines).encode())


def parse_sums(text: bytes) -> dict[str, str]:
    """Return the SHA-256 by path of a SHA256SUMS file.

    Raises:
        ValueError: a line is not a SHA-256 and a path.
    """
    sums = {}
    for line in text.decode().removesuffix("\n").split("\n"):
        digest, separator, name = line.partition("  ")
        if not (len(digest) == 64 and separator and name):
            raise ValueError(f"{line[:80]!r} is not a SHA-256 and a path")
        sums[name] = digest
    return sums


def check_sums(folder: Path, wanted: Path) -> None:
    """Check a file, or every file of a folder, against SHA256SUMS in `folder`.

    Raises:
        ArtifactError: a file differs from what is recorded, is not recorded, or is missing; or SHA256SUMS itself is.
    """
    try:
        sums = parse_sums((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise ArtifactError(folder / NAME, "is missing") from None
    except ValueError as error:
        raise ArtifactError(folder / NAME, f"is damaged: {error}") from None
    files = _files(wanted)
    for file, digest in zip(files, _digests(files), strict=True):
        if sums.pop(_relative(file, folder), None) != digest:
            raise ArtifactError(file, f"is not the file that {folder / NAME} records")
    for name in sums:
        if (path := Path(os.path.normpath(folder / name))).is_relative_to(wanted):
            raise ArtifactError(path, f"is missing, but {folder / NAME} records it")


def sealed(data: bytes) -> bytes:
    """Return data with their digest at the end.

    The checksums inside an archive do not cover the headers that say how its arrays are read.
    """
    return data + hashlib.sha256(data).digest()


def unsealed(data: bytes) -> bytes:
    """Return the data without their digest.

    Raises:
        ValueError: the data differ from what was sealed.
    """
    whole = data[: -hashlib.sha256().digest_size]
    if sealed(whole) != data:
        raise ValueError("the data differ from their digest")
    return whole


def _files(place: Path) -> list[Path]:
    found = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return sorted(path for path in found if path.name != NAME)


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()


def _digests(files: list[Path]) -> list[str]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(cached_sha256, files))


def cached_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex; each process reads a file once, unless it was written just now."""
    about = os.stat(path)
    if time.time() - about.st_mtime < _SETTLED:
        return sha256(path)
    return _remembered(str(path), about.st_ino, about.st_size, about.st_mtime_ns)


@cache
def _remembered(path: str, inode: int, size: int, changed: int) -> str:
    return sha256(Path(path))
