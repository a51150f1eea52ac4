"""SHA256SUMS: the SHA-256 of every file that a stage writes, as `sha256sum --check` reads it; and sealed bytes."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from maskline.errors import ArtifactError
from maskline.files.artifacts import write_bytes
from maskline.files.digests import cached_digests, read_sha256

NAME = "SHA256SUMS"


def write_sums(folder: Path, others: Iterable[Path] = ()) -> None:
    """Write SHA256SUMS into a folder. It lists the folder's files and those of other places, by relative path."""
    files = [file for place in (folder, *others) for file in _files(place)]
    digests = cached_digests(files)
    lines = [f"{digest}  {_relative(file, folder)}\n" for file, digest in zip(files, digests, strict=True)]
    write_bytes(folder / NAME, "".join(lines).encode())


def parse_sums(text: bytes) -> dict[str, str]:
    """Return the SHA-256 of each path in a SHA256SUMS file.

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
        ArtifactError: a file differs from the recorded one, is not recorded, or is missing; or SHA256SUMS is missing or
            damaged.
    """
    try:
        sums = parse_sums((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise ArtifactError(folder / NAME, "is missing") from None
    except ValueError as error:
        raise ArtifactError(folder / NAME, f"is damaged: {error}") from None
    files = _files(wanted)
    for file, digest in zip(files, cached_digests(files), strict=True):
        recorded = sums.pop(_relative(file, folder), None)
        if recorded is None or (digest != recorded and read_sha256(file) != recorded):
            raise ArtifactError(file, f"is not the file that {folder / NAME} records")
    for name in sums:
        if (path := Path(os.path.normpath(folder / name))).is_relative_to(wanted):
            raise ArtifactError(path, f"is missing, but {folder / NAME} records it")


def sealed(data: bytes) -> bytes:
    """Return data with their SHA-256 at the end.

    The checksums inside an .npz archive do not cover the headers that describe its arrays.
    """
    return data + hashlib.sha256(data).digest()


def unsealed(data: bytes) -> bytes:
    """Return the data without their SHA-256.

    Raises:
        ValueError: the data differ from what was sealed.
    """
    whole = data[: -hashlib.sha256().digest_size]
    if sealed(whole) != data:
        raise ValueError("the data do not match their SHA-256")
    return whole


def _files(place: Path) -> list[Path]:
    found = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return sorted(path for path in found if path.name != NAME)


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()
