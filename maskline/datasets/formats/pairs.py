"""Pairs of image and mask files, which must exist, not be empty, and have a lossless format for masks."""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from maskline.datasets.regular import read_small, require_regular
from maskline.errors import InputError
from maskline.files.further_images import TIFF

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
_BMP = b"BM"
_LONGEST_LINE = 4096  # characters
_LONGEST_PART = 255  # bytes of a file's name


def read_list(path: Path) -> list[str]:
    """Return the non-blank lines of a split list.

    Raises:
        InputError: the list is missing, empty, not UTF-8 or not a regular file, or has a line twice or one that cannot
            be a file's name.
    """
    try:
        text = read_small(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore this list of the split's images.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8.") from None
    lines = [line for part in text.split("\n") if (line := part.strip(" \t\r"))]
    if not lines:
        raise InputError(f"{path} lists no images; add some, or remove the file.")
    seen: set[str] = set()
    for line in lines:
        if "\0" in line or len(line) > _LONGEST_LINE:
            raise InputError(f"{path} lists {line[:80]!r}, which cannot be a file's name; take it out.")
        if line in seen:
            raise InputError(f"{path} lists {line!r} twice; remove one of the two.")
        seen.add(line)
    return lines


def listed_file(listing: Path, tree: Path, name: str) -> Path:
    """Return the file that a list names, relative to the tree.

    Raises:
        InputError: the name leads out of the tree, or no file can have it.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or any(len(p.encode()) > _LONGEST_PART for p in parts):
        raise InputError(f"{listing} lists {name[:80]!r}, which is not a file in {tree}; correct it, or take it out.")
    return tree / name


def checked_example(image: Path, mask: Path, name: str) -> dict[str, str]:
    """Return an example: the paths of its image and mask, and its name.

    Raises:
        InputError: a file is missing, empty or not a regular file, an image does not begin as a PNG, JPEG, TIFF, BMP or
            WebP file, or a mask not as a PNG, TIFF or BMP file.
    """
    start = _start(image)
    if not start.startswith((PNG, JPEG, *TIFF, _BMP)) and not _is_webp(start):
        raise InputError(
            f"{image} is neither JPEG nor PNG, TIFF, BMP or WebP by its content; convert it to PNG, or move it "
            "elsewhere."
        )
    start = _start(mask)
    if start.startswith(JPEG) or _is_webp(start):
        form = "JPEG" if start.startswith(JPEG) else "WebP"
        raise InputError(f"{mask} is a {form}, whose compression changes labels; save the labels as PNG.")
    if not start.startswith((PNG, *TIFF, _BMP)):
        raise InputError(
            f"{mask} is not a PNG, TIFF or BMP by its content; save the mask as PNG, or move the file elsewhere."
        )
    return {"image": str(image), "segmentation_mask": str(mask), "file_name": name}


def _is_webp(start: bytes) -> bool:
    return start.startswith(b"RIFF") and start[8:] == b"WEBP"


def _start(path: Path) -> bytes:
    require_regular(path)
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it, or remove it from its split's list.") from None
    if not start:
        raise InputError(f"{path} is empty; restore it, or remove it and its pair.")
    return start


def first_with(candidates: Iterable[Path], holds: Callable[[Path], bool]) -> Path | None:
    """Return the first candidate folder for which `holds` is true."""
    return next((path for path in candidates if holds(path)), None)
