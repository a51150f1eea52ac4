"""Byte-stable, atomic writing: files and folders get a temporary name, are flushed to disk, and are then renamed."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP archive can hold, instead of the current time
_STORED_BLOCK = 65535  # the longest stored block of a deflate stream


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old or the new content, never a part of it, even after a crash."""
    path = Path(path)
    _make_directory(path.parent)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with _with_filename(path):
            with open(partial, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


@contextlib.contextmanager
def _with_filename(path: Path) -> Iterator[None]:
    """Add the output's name to an OSError without a file name, such as the error of a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextlib.contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `path` when the block ends without error."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _make_directory(partial)
    try:
        with _with_filename(path):
            yield partial
        move_directory(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def move(file: Path, path: Path) -> None:
    """Flush a file to disk, then rename it to its final name on the same disk."""
    _sync(file)
    os.replace(file, path)
    _sync_directory(path.parent)


def move_directory(folder: Path, path: Path) -> None:
    """Flush a folder to disk, then rename it to its final name on the same disk, where it replaces another folder."""
    old = path.with_name(f"{path.name}.old")
    _sync_tree(folder)
    shutil.rmtree(old, ignore_errors=True)
    try:
        if path.exists():
            os.replace(path, old)
        os.replace(folder, path)
        _sync_directory(path.parent)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _make_directory(path: Path) -> None:
    """Make a folder and its parents, and flush each entry to disk."""
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir(exist_ok=True)
        _sync_directory(path.parent)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            _sync_directory(path)
        else:
            _sync(path)
    _sync_directory(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(path: Path) -> None:
    if os.name == "posix":
        _sync(path)


def json_text(value: Any) -> str:
    """Return a value as indented JSON in the given order; NaN and infinity raise ValueError."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def json_bytes(value: Any) -> bytes:
    """Return the UTF-8 file of a value; see `json_text`."""
    return f"{json_text(value)}\n".encode()


def write_json(path: Path, value: Any) -> None:
    """Write JSON; see `json_bytes`."""
    write_bytes(path, json_bytes(value))


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Encode arrays as an uncompressed .npz file; objects that need pickle raise ValueError."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH), data.getvalue())
    return out.getvalue()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored_png(pixels: np.ndarray) -> bytes:
    """Encode uint8 pixels [H, W] or [H, W, 3] as an uncompressed PNG.

    The bytes depend only on the pixels. A compressor's bytes also depend on its build and on the CPU.
    """
    height, width = pixels.shape[:2]
    color_type = {2: 0, 3: 2}[pixels.ndim]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    data = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # filter type 0 before each row
    blocks = [data[i : i + _STORED_BLOCK] for i in range(0, len(data), _STORED_BLOCK)]
    stream = b"\x78\x01" + b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block for block in blocks
    )
    stream += struct.pack(">I", zlib.adler32(data))
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", stream) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
