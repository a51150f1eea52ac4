"""Archives from the network: fetched through TFDS, tried again when the line drops, unpacked only where they may."""

import functools
import shutil
import socket
import stat
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import download_manager, downloader, util

from maskline.errors import InputError
from maskline.files.artifacts import sha256

ATTEMPTS = 4
BACKOFF = 1.0  # seconds before the second attempt, doubled before each further one
STALL = 60.0  # seconds without a byte after which a connection has failed

downloader.MAX_RETRIES = 1  # `persistent` is what tries again, also when the line drops within a file
downloader._open_url = functools.partial(downloader._open_url, timeout=STALL)  # TFDS would wait for ever
socket.setdefaulttimeout(STALL)  # and so would Keras

_Result = TypeVar("_Result")


def persistent(work: Callable[[], _Result], what: str, remedy: str) -> _Result:
    """Do work that needs the network, again after a growing pause when the network fails it.

    Raises:
        InputError: the server refuses the file, its checksum is wrong, or every attempt failed.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except util.DownloadError as error:
            raise InputError(f"{what} could not be downloaded: {_line(error)} {remedy}") from None
        except download_manager.NonMatchingChecksumError as error:
            raise InputError(f"{what} was downloaded with a wrong checksum: {_line(error)} {remedy}") from None
        except (requests.RequestException, ConnectionError, TimeoutError) as error:
            if attempt == ATTEMPTS:
                raise InputError(
                    f"{what} could not be downloaded in {ATTEMPTS} attempts ({_line(error)}). {remedy}"
                ) from None
            print(f"{what}: the connection failed, attempt {attempt} of {ATTEMPTS}; trying again", file=sys.stderr)
            time.sleep(BACKOFF * 2 ** (attempt - 1))
    raise AssertionError


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def fetch(manager: tfds.download.DownloadManager, url: str, checksum: str | None) -> Path:
    """Download an archive, and check its SHA-256 where one is known.

    Raises:
        InputError: the checksum is wrong; the file is removed.
    """
    path = Path(manager.download(url))
    if checksum is not None and (received := sha256(path)) != checksum:
        path.unlink()
        path.with_name(f"{path.name}.INFO").unlink(missing_ok=True)
        raise InputError(
            f"{url} has a wrong checksum; try again later, or set dataset.path to a local copy. "
            f"Received: SHA-256 {received}, expected: {checksum}"
        )
    return path


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> Path:
    """Unpack the wanted files of a .zip or .tar archive into a new folder.

    Raises:
        InputError: it is no such archive, is damaged, or has a member outside the folder, or a link or device.
    """
    folder.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                for member in file.infolist():
                    _check(archive, member.filename, plain=not stat.S_ISLNK(member.external_attr >> 16))
                    if not member.is_dir() and wanted(member.filename):
                        with file.open(member) as content:
                            _write(content, folder / member.filename)
        else:
            with tarfile.open(archive) as file:
                for member in file:
                    _check(archive, member.name, plain=member.isfile() or member.isdir())
                    if member.isfile() and wanted(member.name):
                        with file.extractfile(member) as content:
                            _write(content, folder / member.name)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise InputError(f"{archive} is no whole .zip or .tar archive ({error}); run `dvc repro` again.") from None
    return folder


def _check(archive: Path, member: str, plain: bool) -> None:
    path = PurePosixPath(member.replace("\\", "/"))
    if not plain or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise InputError(
            f"{archive} has the member {member!r}, which is a link or leads out of its folder; get the archive anew."
        )


def _write(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        shutil.copyfileobj(content, file)
