"""Unpacking archives into a folder, never outside it."""

import errno
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from maskline.errors import InputError

_BLOCK = 1 << 20  # bytes
_LEAST_BOUND = 64 * 2**20  # bytes that any archive may hold
_MOST_TIMES = 10  # an archive of images, which are compressed already, may hold so many times its own size
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PART_BYTES, _NAME_BYTES = 255, 1024  # of a member's name; file systems take no longer parts
_SHOWN = 80  # characters of a member's name in a sentence
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, ValueError, NotImplementedError)


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> Path:
    """Unpack the wanted files of a .zip or an uncompressed .tar archive into a new folder.

    Raises:
        InputError: the file is not such an archive, is damaged or encrypted, holds far more than images can, or has a
            member outside the folder, a link, a device, or two members that cannot both be files.
    """
    folder.mkdir(parents=True)
    left = max(_LEAST_BOUND, _MOST_TIMES * archive.stat().st_size)
    try:
        members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        for name, content in members(archive, wanted):
            left -= _write(archive, content, folder / name, left)
    except _DAMAGED as error:
        raise _damaged(archive, error) from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a place before the archive's start
            raise
        raise _damaged(archive, error) from None
    return folder


def _damaged(archive: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(f"{archive} is not a whole .zip or .tar archive ({reason}); download it again.")


def _zip_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    """Check all members, and yield the name and the content of the wanted files."""
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            _check(archive, member.filename, plain=not is_link and member.filename.strip("./") != "")
            if not member.filename.endswith("/") and wanted(member.filename):
                _check_method(archive, member)
                with file.open(member) as content:
                    yield member.filename, content


def _check_method(archive: Path, member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 1:
        raise InputError(f"{archive} has the encrypted member {member.filename[:_SHOWN]!r}; get it without a password.")
    if member.compress_type not in _METHODS:
        raise InputError(
            f"{archive} has the member {member.filename[:_SHOWN]!r} in compression method {member.compress_type}; "
            "pack it again, stored or deflated."
        )


def _tar_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    """Check all members, and yield the name and the content of the wanted files."""
    with tarfile.open(archive, "r:") as file:  # a compressed one could unpack without end
        for member in file:
            _check(archive, member.name, plain=member.isfile() or member.isdir())
            content = file.extractfile(member) if wanted(member.name) else None
            if content is not None:
                with content:
                    yield member.name, content


def _check(archive: Path, member: str, plain: bool) -> None:
    path = PurePosixPath(member.replace("\\", "/"))
    if not plain or path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
        raise InputError(
            f"{archive} has the member {member[:_SHOWN]!r}, which is a link or leads out of its folder; "
            "download the archive again from a source that you trust."
        )
    lengths = [len(part.encode(errors="replace")) for part in path.parts]
    if max(lengths, default=0) > _PART_BYTES or sum(lengths) > _NAME_BYTES:
        raise InputError(
            f"{archive} has a member with a name that is too long: {member[:_SHOWN]!r}; download it again."
        )


def _write(archive: Path, content: IO[bytes], path: Path, most: int) -> int:
    """Write a member's content, and return its size.

    Raises:
        InputError: the content is larger than `most` bytes, or another member has made a file or folder in its place.
    """
    size = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "xb")  # noqa: SIM115
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InputError(f"{archive} has two members that cannot both be {path.name!r}; download it again.") from None
    with file:
        while block := content.read(_BLOCK):
            size += len(block)
            if size > most:
                raise InputError(
                    f"{archive} holds far more than an archive of images of its size; "
                    "download it again from a source that you trust."
                )
            file.write(block)
    return size
