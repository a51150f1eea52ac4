"""The images that a user names: files, folders and patterns, each with the name of its outputs."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.errors import InputError
from maskline.prediction.decode import SUFFIXES

_LONGEST = 255  # bytes of a file's name
_ADDED = len(".png.partial")  # bytes that the name of an output has after the stem while it is written


class ImageFile(NamedTuple):
    """An image to predict.

    Attributes:
        path: of the file.
        name: its path below the folder that was named, with `/` and its suffix, such as 'street/1.jpg'.
    """

    path: Path
    name: str

    @property
    def stem(self) -> str:
        """The name without its suffix, which the outputs share."""
        return os.path.splitext(self.name)[0]


def find_images(places: Sequence[str], out: Path) -> list[ImageFile]:
    """Return the images that files, folders and patterns name, in their order; those of a folder are sorted.

    Folders are searched to every depth for names with a suffix of an image that do not begin with a dot. Links to
    folders are followed, and a folder that is reached in several ways is searched once.

    Args:
        places: paths, or patterns such as 'photos/**/*.jpg'.
        out: a folder whose files are left out.

    Raises:
        InputError: a place holds no image, two images would have outputs of one name, a name is not valid UTF-8 or too
            long for the outputs, or a pattern has '..' after a wildcard.
    """
    found: dict[str, ImageFile] = {}
    for place in places:
        named = list(_images(place))
        images = [image for image in named if not _is_below(image.path, out)]
        if not images:
            raise InputError(_left_out(place, out) if named else _nothing(place))
        for image in images:
            _check_name(image)
            other = found.setdefault(image.stem.casefold(), image)
            if not _is_same(other, image):
                raise InputError(
                    f"{other.path} and {image.path} would both be written as {image.stem}.png; rename one, or predict "
                    "them into two folders."
                )
    return list(found.values())


def _images(place: str) -> Iterator[ImageFile]:
    path = Path(place)
    if path.is_dir():
        yield from (ImageFile(file, file.relative_to(path).as_posix()) for file in _below(path))
    elif path.exists():
        yield ImageFile(path, path.name)
    elif glob.has_magic(place):
        yield from _matches(place)


def _below(folder: Path) -> list[Path]:
    """Return the images below a folder, sorted by name."""

    def refuse(error: OSError) -> None:
        raise error

    found: list[Path] = []
    searched: set[str] = set()
    waiting = [folder]
    for top in waiting:  # links come last, so that an image has the name that it has without them
        for parent, folders, files in os.walk(top, onerror=refuse):
            real = os.path.realpath(parent)
            if real in searched:
                folders.clear()
                continue
            searched.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            waiting += [path for name in folders if (path := Path(parent, name)).is_symlink()]
            found += [Path(parent, name) for name in files if _has_name_of_an_image(name)]
    return sorted(found, key=lambda path: path.as_posix())


def _has_name_of_an_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _matches(pattern: str) -> Iterator[ImageFile]:
    """Yield the files that match a pattern, named from its first part that holds a wildcard."""
    parts = Path(pattern).parts
    first = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    if ".." in parts[first:]:
        raise InputError(f"{pattern} has '..' after a wildcard; write the pattern without it.")
    base = Path(*parts[:first])
    for name in sorted(glob.glob(pattern, recursive=True)):
        path = Path(name)
        if path.is_file() and _has_name_of_an_image(path.name):
            yield ImageFile(path, path.relative_to(base).as_posix())


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _is_same(one: ImageFile, other: ImageFile) -> bool:
    return one.name == other.name and os.path.realpath(one.path) == os.path.realpath(other.path)


def _check_name(image: ImageFile) -> None:
    try:
        stem = os.path.basename(image.stem).encode()
    except UnicodeEncodeError:
        raise InputError(f"the name of {image.path} is not valid UTF-8; rename it.") from None
    if len(stem) + _ADDED > _LONGEST:
        raise InputError(
            f"the name of {image.path} is too long for its outputs; shorten it to {_LONGEST - _ADDED} bytes or fewer "
            f"without its suffix. Received: {len(stem)} bytes"
        )


def _nothing(place: str) -> str:
    kinds = ", ".join(SUFFIXES)
    if Path(place).is_dir():
        return f"{place} holds no image ({kinds}); name a folder that holds some."
    if glob.has_magic(place):
        return f"{place} matches no image ({kinds}); correct the pattern."
    return f"{place} is not there; name an image, a folder or a pattern."


def _left_out(place: str, out: Path) -> str:
    what = place if _is_below(Path(place), out) else f"every image of {place}"
    return f"{what} lies in the output folder {out}, whose files are left out; name another output folder."
