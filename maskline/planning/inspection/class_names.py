"""The names of classes in the text files that label tools and data sets write: labelmap.txt, classes.txt and others."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.datasets.regular import read_small
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.params.source import is_class_name

_TEXTS = (
    *("labelmap.txt", "label_colors.txt", "label_colours.txt", "class_dict.csv", "classes.csv", "classes.txt"),
    *("class_names.txt", "obj.names", "names.txt", "codes.txt", "labels.txt", "labels.csv"),
)
_YAMLS = ("data.yaml", "data.yml", "dataset.yaml")
_RGB = r"(?P<r>\d{1,3})[ ,;\t]+(?P<g>\d{1,3})[ ,;\t]+(?P<b>\d{1,3})"
_GAP = r"[ ,;:=\t]+"
_HEX = r"(?P<hex>#[0-9a-fA-F]{6})"
# The first form that fits all lines counts.
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?P<name>[^:]+):\s*{_RGB}\s*(?::.*)?",  # CVAT and VOC: car:128,0,0::
        rf"{_RGB}{_GAP}(?P<name>\S.*)",  # CamVid: 64 0 128 <tab> Car
        rf"(?P<id>\d+){_GAP}(?P<name>\S.*?){_GAP}{_RGB}",  # 3,car,128,0,0
        rf"(?P<name>\S.*?){_GAP}{_RGB}",  # car,128,0,0
        rf"(?P<id>\d+){_GAP}(?P<name>\S.*?){_GAP}{_HEX}",
        rf"{_HEX}{_GAP}(?P<name>\S.*)",
        rf"(?P<name>\S.*?){_GAP}{_HEX}",
        rf"(?P<id>\d+){_GAP}(?P<name>\S.*)",  # 3 car
        r"(?P<name>\S.*?)\s*[,;:=\t]\s*(?P<id>\d+)",  # car: 3
        r"(?P<name>\S.*)",
    )
)
_VOID = re.compile(r"(?i)^_*(void|ignored?|ignore[ _-]?label|unlabell?ed|unknown|undefined|don'?t[ _-]?care)_*$")


class NamedClass(NamedTuple):
    """A class of a file: its name, its mask value and its color, 0xrrggbb, where the file gives them."""

    name: str
    value: int | None = None
    color: int | None = None

    @property
    def is_void(self) -> bool:
        """Whether the name says that the pixels count for nothing."""
        return bool(_VOID.match(self.name))


class NamesFile(NamedTuple):
    """A file with the names of classes, in its order."""

    path: Path
    classes: list[NamedClass]


def find_names(folders: Sequence[Path]) -> tuple[NamesFile | None, list[str]]:
    """Return the first file in the folders that names classes, and warnings about such files that cannot be used."""
    warnings = []
    for path in _candidates(folders):
        try:
            classes = _of_yaml(path) if path.name in _YAMLS else parse(read_small(path).decode("utf-8-sig"))
        except (InputError, UnicodeDecodeError, OSError) as error:
            warnings.append(f"{path} cannot be read ({str(error).splitlines()[0]}), so its names are not used")
            continue
        if problem := _problem(classes):
            warnings.append(f"{path} {problem}, so its names are not used")
            continue
        return NamesFile(path, classes), warnings
    return None, warnings


def _candidates(folders: Sequence[Path]) -> Iterator[Path]:
    for name in (*_TEXTS, *_YAMLS):
        for folder in folders:
            if (folder / name).is_file():
                yield folder / name


def parse(text: str) -> list[NamedClass]:
    """Return the classes of a text with one on each line; the first line may be a header, and '#' begins a comment."""
    lines = [line for part in text.splitlines() if (line := part.strip()) and not _is_comment(line)]
    for start in (0, 1):
        for form in _FORMS[:-1] if len(lines) > start else ():
            matches = [form.fullmatch(line) for line in lines[start:]]
            found = [match for match in matches if match and _is_color(match)]
            if len(found) == len(lines) - start:
                return [_named(match) for match in found]
    return [NamedClass(line) for line in lines]


def _is_comment(line: str) -> bool:
    return line.startswith("#") and not re.match(_HEX, line)


def _is_color(match: re.Match[str]) -> bool:
    groups = match.groupdict()
    return all(int(groups[channel]) <= 255 for channel in "rgb" if groups.get(channel))


def _named(match: re.Match[str]) -> NamedClass:
    groups = match.groupdict()
    color = None
    if groups.get("hex"):
        color = int(groups["hex"][1:], 16)
    elif groups.get("r"):
        color = int(groups["r"]) << 16 | int(groups["g"]) << 8 | int(groups["b"])
    return NamedClass(groups["name"].strip().strip("'\""), int(groups["id"]) if groups.get("id") else None, color)


def _of_yaml(path: Path) -> list[NamedClass]:
    values = read_yaml(path)
    names = values.get("names") if isinstance(values, dict) else None
    if isinstance(names, dict):
        return [NamedClass(str(name), int(key)) for key, name in names.items() if str(key).isdigit()]
    return [NamedClass(str(name)) for name in names] if isinstance(names, list) else []


def _problem(classes: Sequence[NamedClass]) -> str | None:
    """Return why names cannot be those of classes, or None."""
    names = [each.name.lower() for each in classes]
    if not classes:
        return "names no classes"
    if bad := next((each.name for each in classes if not is_class_name(each.name)), None):
        return f"has {bad[:40]!r}, which cannot be the name of a class"
    if repeated := next((name for name in names if names.count(name) > 1), None):
        return f"names {repeated[:40]!r} twice"
    return "names more than 256 classes" if len(classes) > 256 else None
