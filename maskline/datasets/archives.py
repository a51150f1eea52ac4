"""Unpacking archives into a folder, never outside it."""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from maskline.errors import InputError


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> Path:
    """Unpack the wanted files of a .zip or .tar archive into a new folder.

    Raises:
        InputError: the file is not such an archive, is damaged, or has a member outside the folder, a link or a device.
    """
    folder.mkdir(parents=True)
    try:
        members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        for name, content in members(archive, wanted):
            _write(content, folder / name)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise InputError(f"{archive} is not a whole .zip or .tar archive ({error}); download it again.") from None
    return folder


def _zip_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    """Check all members, and yield the name and the content of the wanted files."""
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            _check(archive, member.filename, plain=not stat.S_ISLNK(member.external_attr >> 16))
            if not member.is_dir() and wanted(member.filename):
                with file.open(member) as content:
                    yield member.filename, content


def _tar_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    """Check all members, and yield the name and the content of the wanted files."""
    with tarfile.open(archive) as file:
        for member in file:
            _check(archive, member.name, plain=member.isfile() or member.isdir())
            content = file.extractfile(member) if wanted(member.name) else None
            if content is not None:
                with content:
                    yield member.name, content


def _check(archive: Path, member: str, plain: bool) -> None:
    path = PurePosixPath(member.replace("\\", "/"))
    if not plain or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise InputError(
            f"{archive} has the member {member!r}, which is a link or leads out of its folder; "
            "download the archive again from a source that you trust."
        )


def _write(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        shutil.copyfileobj(content, file)
