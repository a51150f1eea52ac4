"""Reading of annotation files, which are bounded by nothing but their size, and of the images that they name."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn, TypeVar

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from maskline.datasets.regular import require_regular
from maskline.errors import InputError
from maskline.messages import one_line

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_MOST_DEEP = 100  # levels of XML
_EXIF_ORIENTATION = 0x0112
_TRANSPOSED = (5, 6, 7, 8)

_Value = TypeVar("_Value")


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        InputError: the file is missing, empty or not a regular file.
    """
    require_regular(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it.") from None
    if not data:
        raise InputError(f"{path} is empty; export the annotations again.")
    return data


def read_json(path: Path, kind: TypeAdapter[_Value], form: str) -> _Value:
    """Return a JSON file's content as values of a type.

    Raises:
        InputError: the file is not JSON, or not of this type; the sentence names the entry.
    """
    try:
        return kind.validate_json(read_bytes(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if not _is_branch(part))
        at = f" at {place}" if place else ""
        raise InputError(f"{path} is not {form}{at} ({first['msg'][:200]}); export the annotations again.") from None


def _is_branch(part: int | str) -> bool:
    """Return whether a part of a place is the name that pydantic gives to a branch of a union."""
    return isinstance(part, str) and (not part.isidentifier() or part in ("str", "int", "float"))


class _Plain(ET.TreeBuilder):
    """A builder that stops at a document type, which could define entities, and at deep nesting."""

    levels = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise ValueError("it has a DOCTYPE")

    def start(self, tag: str, attrs: dict[str, str]) -> ET.Element:
        self.levels += 1
        if self.levels > _MOST_DEEP:
            raise ValueError(f"it is nested more than {_MOST_DEEP} levels deep")
        return super().start(tag, attrs)

    def end(self, tag: str) -> ET.Element:
        self.levels -= 1
        return super().end(tag)


def read_xml(path: Path) -> ET.Element:
    """Return the root of an XML file.

    Raises:
        InputError: the file is not XML, or has a DOCTYPE.
    """
    try:
        return ET.fromstring(read_bytes(path), ET.XMLParser(target=_Plain()))
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"{path} cannot be read as XML ({one_line(error)}); export the annotations again.") from None


def find_image(folders: Iterable[Path], name: str, where: str) -> Path:
    """Return the first file of a name in several folders.

    Raises:
        InputError: the name leads out of the folders, or no folder has it.
    """
    places = list(dict.fromkeys(folders))
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name or any(len(p.encode()) > 255 for p in parts):
        raise InputError(f"{where}: {name[:80]!r} cannot be the name of an image in {places[0]}; correct it.")
    for folder in places:
        if folder.joinpath(*parts).is_file():
            return folder.joinpath(*parts)
    listed = ", ".join(map(str, places))
    raise InputError(f"{where}: the image {name!r} is not in {listed}; add it, or delete its annotations.")


def image_size(path: Path) -> tuple[int, int]:
    """Return height and width of an image once it is upright, from its header.

    Raises:
        InputError: the file is neither JPEG nor PNG.
    """
    try:
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            width, height = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION) in _TRANSPOSED
    except Exception as error:  # Pillow raises whatever its parsers meet
        raise InputError(
            f"{path} cannot be read as JPEG or PNG ({one_line(error)}); convert it, or replace it."
        ) from None
    return (width, height) if turned else (height, width)


def visible_files(folder: Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """Yield the files with a suffix at any depth, in order of their paths, without hidden ones."""
    wanted = tuple(suffixes)
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in wanted and not hidden and path.is_file():
            yield path


def once(path: Path, seen: dict[Path, str], where: str) -> Path:
    """Return an image's path, and raise InputError if an annotation at another place has it too."""
    if path in seen:
        raise InputError(f"{where}: {path} is annotated at {seen[path]} too; delete one of the two.")
    seen[path] = where
    return path


def by_split(words: dict[str, Path], what: str) -> dict[str, Path]:
    """Return files by split, by a word in their names: train, val or valid, test; a single file is train.

    Args:
        words: the text to look at and the file.
        what: the files are, in a message.

    Raises:
        InputError: two files are of one split, or several have none.
    """
    if len(words) == 1:
        return {"train": next(iter(words.values()))}
    splits: dict[str, Path] = {}
    for text, path in words.items():
        split = split_of(text)
        if split is None:
            raise InputError(f"{path} is one of several {what}, and its name has no train, val or test; rename it.")
        if split in splits:
            raise InputError(
                f"{splits[split]} and {path} are both {what} of {split}; rename one, or move it elsewhere."
            )
        splits[split] = path
    if "train" not in splits:
        raise InputError(f"{next(iter(splits.values())).parent} has no {what} of train; add it.")
    return splits


def split_of(text: str) -> str | None:
    """Return the split that a whole word of a text names in any case, if any: train, val or valid, test."""
    found = _WORD.search(text.lower())
    return _SPLITS[found[1]] if found else None


def split_of_subset(subset: str, where: str) -> str:
    """Return the split of a subset of CVAT; one without a name, or of the name default, is train.

    Raises:
        InputError: the subset has another name.
    """
    if subset.lower() in ("", "default"):
        return "train"
    split = split_of(subset)
    if split is None:
        raise InputError(f"{where} is of the subset {subset[:80]!r}, which is none of train, val and test; rename it.")
    return split


_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_WORD = re.compile(r"(?<![a-z])(train|val|test)(?:id|idation|ing)?(?![a-z])")
