"""The images that a user names: files, folders and patterns, each with the name of its outputs."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.errors import InputError
from maskline.prediction.decode import SUFFIXES


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

    Folders are searched to every depth for names with a suffix of an image that do not begin with a dot.

    Args:
        places: paths, or patterns such as 'photos/**/*.jpg'.
        out: a folder whose files are left out.

    Raises:
        InputError: a place holds no image, or two images would have outputs of one name.
    """
    found: dict[str, ImageFile] = {}
    for place in places:
        images = [image for image in _images(place) if not _is_below(image.path, out)]
        if not images:
            raise InputError(_nothing(place))
        for image in images:
            _check_encoding(image)
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

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if _has_name_of_an_image(name)]
    return sorted(found, key=lambda path: path.as_posix())


def _has_name_of_an_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _matches(pattern: str) -> Iterator[ImageFile]:
    """Yield the files that match a pattern, named from its first part that holds a wildcard."""
    fixed = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    base = Path(*fixed)
    for name in sorted(glob.glob(pattern, recursive=True)):
        path = Path(name)
        if path.is_file() and _has_name_of_an_image(path.name):
            yield ImageFile(path, path.relative_to(base).as_posix())


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def _is_same(one: ImageFile, other: ImageFile) -> bool:
    return one.name == other.name and os.path.abspath(one.path) == os.path.abspath(other.path)


def _check_encoding(image: ImageFile) -> None:
    try:
        image.name.encode()
    except UnicodeEncodeError:
        raise InputError(f"the name of {image.path} is not valid UTF-8; rename it.") from None


def _nothing(place: str) -> str:
    kinds = ", ".join(SUFFIXES)
    if Path(place).is_dir():
        return f"{place} holds no image ({kinds}); name a folder that holds some."
    if glob.has_magic(place):
        return f"{place} matches no image ({kinds}); correct the pattern."
    return f"{place} is not there, or lies in the output folder; name an image, a folder or a pattern."
