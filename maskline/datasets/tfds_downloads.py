"""The downloads of data sets that TFDS brings: its own downloader, with an end to stalls and to attempts."""

import contextlib
import functools
import io
import socket
from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import download_manager, downloader, util

from maskline.datasets import fetch
from maskline.errors import InputError


def download_and_prepare(builder: tfds.core.DatasetBuilder, downloads: Path, manual: Path, remedy: str) -> None:
    """Let a builder do its work, and again when a connection fails.

    Args:
        downloads: where whole downloads are kept.
        manual: where TFDS looks for files that the user has to get.
        remedy: a sentence that says what to do if the data set cannot be had.

    Raises:
        InputError: the server refuses a file, its checksum is wrong, every attempt failed, or the builder needs files
            or packages that are not there.
    """
    config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False)

    def work() -> None:
        try:
            with _limited(), contextlib.redirect_stdout(io.StringIO()):  # TFDS prints folders that do not stay
                builder.download_and_prepare(download_dir=downloads, download_config=config)
        except util.DownloadError as error:
            raise InputError(f"{builder.name} could not be downloaded: {fetch.one_line(error)} {remedy}") from None
        except download_manager.NonMatchingChecksumError as error:
            raise InputError(
                f"{builder.name} was downloaded with a wrong checksum: {fetch.one_line(error)} {remedy}"
            ) from None
        except (AssertionError, ImportError) as error:  # files that the user has to get, or a package
            raise InputError(f"{builder.name} cannot be prepared: {fetch.one_line(error)}") from None

    fetch.persistent(work, builder.name, remedy)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Within the block, end connections of TFDS that stall, and make its attempts few: the caller repeats them.

    TFDS has no settings for either. It opens HTTP by requests, and FTP by urllib, which has the sockets' own limit.
    """
    open_url, retries, limit = downloader._open_url, downloader.MAX_RETRIES, socket.getdefaulttimeout()
    downloader._open_url = functools.partial(open_url, timeout=fetch.STALL)
    downloader.MAX_RETRIES = 1
    socket.setdefaulttimeout(fetch.STALL)
    try:
        yield
    finally:
        downloader._open_url, downloader.MAX_RETRIES = open_url, retries
        socket.setdefaulttimeout(limit)
