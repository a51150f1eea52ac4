"""Downloads that are complete and checked, or leave nothing. A new attempt resumes where the last one failed."""

import hashlib
import re
import sys
from pathlib import Path
from typing import Literal

import requests
from tqdm import tqdm

from maskline.errors import InputError
from maskline.files.artifacts import move
from maskline.files.downloads import STALL, check_status, retry

_BLOCK = 1 << 16  # bytes
_PARTIAL, _NO_SUCH_RANGE = 206, 416
_NAMES = {"md5": "MD5", "sha256": "SHA-256"}


def fetch(
    url: str, path: Path, remedy: str, checksum: str | None = None, algorithm: Literal["md5", "sha256"] = "sha256"
) -> Path:
    """Download the file at `url` to `path` and return `path`; an existing file with the right checksum is kept.

    Args:
        remedy: a sentence on what to do if the download fails.
        checksum: of the file, in hex; None if none is published.
        algorithm: of the checksum.

    Raises:
        InputError: the server refuses the file, its checksum is wrong, or every attempt failed. Nothing is left behind.
    """
    if path.is_file() and (checksum is None or _checksum(path, algorithm) == checksum):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        download = _Download(url, partial, remedy)
        retry(download.attempt, url, remedy)
        if checksum is not None and (received := _checksum(partial, algorithm)) != checksum:
            name = _NAMES[algorithm]
            raise InputError(
                f"{url} has a wrong checksum. {remedy} Received: {name} {received}, expected: {name} {checksum}"
            )
        move(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


class _Download:
    """The attempts to download a file. Each continues after the bytes received so far if the file is still the same.

    Args:
        url: of the file.
        partial: the file that receives the bytes.
        remedy: a sentence on what to do if the server refuses the file.
    """

    def __init__(self, url: str, partial: Path, remedy: str) -> None:
        self._url, self._partial, self._remedy = url, partial, remedy
        self._version: str | None = None  # the ETag of the partial file's content

    def attempt(self) -> None:
        """Download the missing bytes.

        Raises:
            InputError: the server refuses the file.
            requests.RequestException: the connection failed; the bytes received so far are kept.
        """
        done = self._partial.stat().st_size if self._version and self._partial.is_file() else 0
        headers = {"Accept-Encoding": "identity"}  # otherwise ranges count compressed bytes
        if done and self._version:
            headers |= {"Range": f"bytes={done}-", "If-Range": self._version}
        with requests.get(self._url, headers=headers, stream=True, timeout=STALL) as response:
            self._check_status(response, done)
            self._version = _version(response)
            self._write(response, done if response.status_code == _PARTIAL else 0)

    def _check_status(self, response: requests.Response, done: int) -> None:
        status = response.status_code
        if status == _NO_SUCH_RANGE or (status == _PARTIAL and _start(response) != done):
            self._version = None
            raise requests.ConnectionError(f"{self._url} has no bytes from {done} on")
        check_status(response, self._url, self._remedy)

    def _write(self, response: requests.Response, done: int) -> None:
        length = response.headers.get("Content-Length", "")
        bar = tqdm(
            total=done + int(length) if re.fullmatch("[0-9]{1,18}", length) else None,
            initial=done,
            desc=self._partial.stem,
            unit="B",
            unit_scale=True,
            disable=None,
            file=sys.stderr,
        )
        with bar, open(self._partial, "ab" if done else "wb") as file:
            for block in response.iter_content(_BLOCK):
                file.write(block)
                bar.update(len(block))


def _start(response: requests.Response) -> int | None:
    """Return the offset of the first byte in a partial response."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _version(response: requests.Response) -> str | None:
    """Return the ETag if it identifies the exact bytes that are sent, or None."""
    tag = response.headers.get("ETag", "W/")
    return None if tag.startswith("W/") or "Content-Encoding" in response.headers else tag


def _checksum(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
