"""The files that tasks read and write: those on the driver's disk, or copies in an area that every node reaches.

The pool and a Ray cluster of this machine alone use the disk. For nodes elsewhere, the environment variable
MASKLINE_STAGING names a folder that all nodes share, or an object store such as `s3://bucket/folder`.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskline.engine.tasks import engine_name
from maskline.errors import InputError
from maskline.files import artifacts
from maskline.messages import one_line

VARIABLE = "MASKLINE_STAGING"
Range = tuple[int, int]  # offset and length, in bytes
_GAP = 8 * 2**20  # bytes between two ranges that are read in less time than another request takes
_SPAN = 64 * 2**20  # most bytes of a request for several ranges, which a task holds in memory


@dataclass(frozen=True)
class Area:
    """The files of a run, for its tasks; picklable, and the same paths mean the same files on every node.

    Attributes:
        url: the folder of the copies; None: tasks use the driver's disk, and nothing is copied.
    """

    url: str | None = None

    def read(self, path: Path | str, ranges: Iterable[Range]) -> Iterator[bytes]:
        """Yield the bytes of each range of a staged file, in order; fewer if the file ends earlier.

        Neighboring ranges are read by one request.

        Raises:
            InputError: the area cannot be read.
        """
        if self.url is None:
            yield from _read(path, ranges)
            return
        for span in _spans(ranges):
            first, last = span[0][0], sum(span[-1])
            with _reaching(self.url, "read") as files:
                data = files.cat_file(self._place(path), start=first, end=last)
            for offset, length in span:
                yield data[offset - first : offset - first + length]

    @contextlib.contextmanager
    def copies(self, folder: Path, names: Iterable[str]) -> Iterator[Path]:
        """Yield a folder on this node's disk with the named staged files of `folder`, until the block ends.

        Raises:
            InputError: the area cannot be read.
        """
        if self.url is None:
            yield Path(folder)
            return
        with tempfile.TemporaryDirectory(prefix="maskline-") as place:
            for name in names:
                copy = Path(place) / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                with _reaching(self.url, "read") as files:
                    files.get_file(self._place(Path(folder) / name), str(copy))
            yield Path(place)

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[Path]:
        """Yield the path of a file to write, which is staged as `path` when the block ends without error.

        Raises:
            InputError: the area cannot be written.
        """
        if self.url is None:
            yield Path(path)
            return
        with tempfile.TemporaryDirectory(prefix="maskline-") as place:
            file = Path(place) / Path(path).name
            yield file
            self._put(file, path)

    def bring(self, path: Path, sha256: str) -> None:
        """Copy a file that a task wrote to `path` on the driver's disk, and check its SHA-256.

        Raises:
            InputError: the area cannot be read, or the file is not what the task wrote.
        """
        if self.url is None:
            return
        with _reaching(self.url, "read") as files:
            files.get_file(self._place(path), str(path))
        if artifacts.sha256(path) != sha256:
            raise InputError(f"{Path(path).name} is not what a task wrote to {self.url}; run again.")

    def _put(self, file: Path, path: Path) -> None:
        assert self.url is not None
        with _reaching(self.url, "written") as files:
            files.put_file(str(file), self._place(path))

    def _place(self, path: Path | str) -> str:
        """Return where a file is staged. Names are flat, so that no folder has to be made."""
        text = str(Path(path))
        return f"{self.url}/{hashlib.sha256(text.encode()).hexdigest()[:16]}-{Path(text).name}"


LOCAL = Area()


@contextlib.contextmanager
def staged(files: Iterable[Path]) -> Iterator[Area]:
    """Yield an area that holds files of the driver, for the tasks of `map_tasks`; clear it at the end.

    Raises:
        InputError: the area cannot be reached, or several nodes have none.
    """
    place = os.environ.get(VARIABLE)
    if engine_name() == "pool" or not place:
        if engine_name() == "ray":
            _refuse_several_nodes()
        yield LOCAL
        return
    url = f"{_absolute(place)}/maskline-{uuid.uuid4().hex}"
    area = Area(url)
    try:
        with _reaching(url, "written") as system:
            if "file" in system.protocol:
                system.mkdir(url, create_parents=False)  # an object store has no folders to make
        for file in files:
            area._put(file, file)
        yield area
    finally:
        _clear(url)


def _refuse_several_nodes() -> None:
    from maskline.engine import ray

    ray.refuse_several_nodes(
        f"name a place that all of them reach in {VARIABLE}: a shared folder, or s3://bucket/folder"
    )


def _absolute(place: str) -> str:
    """Return a folder's URL, whose path does not depend on the current folder."""
    return place.rstrip("/") if "://" in place else f"file://{os.path.abspath(place)}"


def _clear(url: str) -> None:
    try:
        with _reaching(url, "cleared") as files:
            files.invalidate_cache()  # tasks added files
            with contextlib.suppress(FileNotFoundError):
                files.rm(url, recursive=True)
    except InputError as error:  # must not hide the error of the work
        print(error, file=sys.stderr)


@contextlib.contextmanager
def _reaching(url: str, done: str) -> Iterator[Any]:
    """Yield the file system of an area.

    Raises:
        InputError: it cannot be used. Each kind of storage has errors of its own.
    """
    try:
        from fsspec.core import url_to_fs

        yield url_to_fs(url)[0]
    except Exception as error:
        raise InputError(
            f"{url} cannot be {done} ({one_line(error)}); {VARIABLE} must name a place that this machine and every "
            "node can read and write."
        ) from None


def _read(path: Path | str, ranges: Iterable[Range]) -> Iterator[bytes]:
    with open(path, "rb") as file:
        for offset, length in ranges:
            file.seek(offset)
            yield file.read(length)


def _spans(ranges: Iterable[Range]) -> Iterator[list[Range]]:
    """Group ranges, in order, that one request reads."""
    span: list[Range] = []
    for offset, length in ranges:
        if span and not (0 <= offset - sum(span[-1]) <= _GAP and offset + length - span[0][0] <= _SPAN):
            yield span
            span = []
        span.append((offset, length))
    if span:
        yield span
