"""Pairs of image and mask files, which must exist, not be empty, and have a lossless format for masks."""

from collections.abc import Callable, Iterable
from pathlib import Path

from maskline.errors import InputError

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"


def read_list(path: Path) -> list[str]:
    """Return the non-blank lines of a split list.

    Raises:
        InputError: the list is missing, empty or not UTF-8, or has a line twice.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore this list of the split's images.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8.") from None
    lines = [line for line in lines if line]
    if not lines:
        raise InputError(f"{path} lists no images; add some, or remove the file.")
    seen: set[str] = set()
    for line in lines:
        if line in seen:
            raise InputError(f"{path} lists {line!r} twice; remove one of the two.")
        seen.add(line)
    return lines


def checked_example(image: Path, mask: Path, name: str) -> dict[str, str]:
    """Return an example: the paths of its image and mask, whose bytes TFDS copies unchanged, and its name.

    Raises:
        InputError: a file is missing or empty, an image is neither PNG nor JPEG, or a mask is not PNG.
    """
    start = _start(image)
    if not start.startswith((_PNG, _JPEG)):
        raise InputError(f"{image} is neither JPEG nor PNG by its content; convert it to PNG, or move it elsewhere.")
    start = _start(mask)
    if start.startswith(_JPEG):
        raise InputError(f"{mask} is a JPEG, whose compression changes labels; save the labels as PNG.")
    if not start.startswith(_PNG):
        raise InputError(f"{mask} is not a PNG by its content; save the mask as PNG, or move the file elsewhere.")
    return {"image": str(image), "segmentation_mask": str(mask), "file_name": name}


def _start(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            start = file.read(len(_PNG))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it, or remove it from its split's list.") from None
    if not start:
        raise InputError(f"{path} is empty; restore it, or remove it and its pair.")
    return start


def first_with(candidates: Iterable[Path], holds: Callable[[Path], bool]) -> Path | None:
    """Return the first candidate folder for which `holds` is true."""
    return next((path for path in candidates if holds(path)), None)
