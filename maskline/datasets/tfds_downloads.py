"""Data sets that TFDS downloads itself, with a timeout and retries, which TFDS does not offer."""

import contextlib
import functools
import io
import socket
from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import download_manager, downloader, util

from maskline.errors import InputError
from maskline.files.downloads import STALL, retry
from maskline.messages import one_line


def download_and_prepare(builder: tfds.core.DatasetBuilder, downloads: Path, manual: Path, remedy: str) -> None:
    """Run a builder, and run it again if a connection fails.

    Args:
        downloads: folder for complete downloads.
        manual: folder in which TFDS looks for files that the user has to download.
        remedy: a sentence on what to do if a download fails.

    Raises:
        InputError: the server refuses a file, its checksum is wrong, every attempt failed, or the builder lacks
            files or packages.
    """
    config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False)

    def work() -> None:
        try:
            with _limited(), contextlib.redirect_stdout(io.StringIO()):  # TFDS prints the names of temporary folders
                builder.download_and_prepare(download_dir=downloads, download_config=config)
        except util.DownloadError as error:
            raise InputError(f"{builder.name} could not be downloaded: {one_line(error, None)} {remedy}") from None
        except download_manager.NonMatchingChecksumError as error:
            raise InputError(
                f"{builder.name} was downloaded with a wrong checksum: {one_line(error, None)} {remedy}"
            ) from None
        except (
            AssertionError,
            ImportError,
        ) as error:  # a missing file that the user has to download, or a missing package
            raise InputError(f"{builder.name} cannot be prepared: {one_line(error, None)}") from None

    retry(work, builder.name, remedy)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Within the block, let TFDS's stalled connections time out, and stop its own retries, because the caller retries.

    TFDS has no setting for either. It opens HTTP with requests, and FTP with urllib, which uses the sockets' timeout.
    """
    open_url, retries, limit = downloader._open_url, downloader.MAX_RETRIES, socket.getdefaulttimeout()
    downloader._open_url = functools.partial(open_url, timeout=STALL)
    downloader.MAX_RETRIES = 1
    socket.setdefaulttimeout(STALL)
    try:
        yield
    finally:
        downloader._open_url, downloader.MAX_RETRIES = open_url, retries
        socket.setdefaulttimeout(limit)
