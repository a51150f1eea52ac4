"""Which source reads a folder: the first, in the order of LAYOUTS, that finds its files there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from maskline.datasets.catalogue import SOURCES
from maskline.datasets.formats import cvat_masks
from maskline.datasets.prepared import find_prepared

_START = 1 << 20  # bytes of a JSON file that tell its format
_LABELME = re.compile(rb'"(?:shapes|imagePath|imageData)"\s*:')


class Layout(NamedTuple):
    """A source that reads a folder.

    Attributes:
        source: dataset.name.
        path: dataset.path.
        tree: the folder of its files, in or at `path`.
        evidence: what was found, without a full stop.
        others: sources later in the order that find their files there too.
    """

    source: str
    path: Path
    tree: Path
    evidence: str
    others: tuple[str, ...] = ()


def find_layout(folder: Path) -> Layout | None:
    """Return the source that reads a folder, or the only folder in it that a source reads; None if there is none."""
    if (found := _layout(folder)) is not None:
        return found
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    layouts = [layout for path in inner[:_MOST_INNER] if (layout := _layout(path)) is not None]
    return layouts[0] if len(layouts) == 1 and len(inner) <= _MOST_INNER else None


_MOST_INNER = 8  # folders that may be inside


def _layout(folder: Path) -> Layout | None:
    fitting = [name for name in LAYOUTS if LAYOUTS[name](folder)]
    if not fitting:
        return None
    source = fitting[0]
    tree = SOURCES[source].find_tree(folder)
    assert tree is not None
    return Layout(source, folder, tree, f"it holds {SOURCES[source].layout}", tuple(fitting[1:]))


def find_prepared_copy(folder: Path) -> tuple[str, Path] | None:
    """Return the name and the folder of a prepared TFDS data set at a folder or in it."""
    names = [name for name, entry in SOURCES.items() if entry.published]
    places = [folder, *folder.glob("*.*.*"), *folder.glob("*/*.*.*")]
    infos = [place for place in places if (place / "dataset_info.json").is_file()]
    if not infos:
        return None
    for name in names:
        if (found := find_prepared(folder, name, SOURCES[name].version)) is not None:
            return name, found
    return None


def _has(source: str) -> Callable[[Path], bool]:
    return lambda folder: SOURCES[source].find_tree(folder) is not None


def _is_ade20k(folder: Path) -> bool:
    tree = SOURCES["ade20k"].find_tree(folder)
    return tree is not None and (tree / "annotations").is_dir()


def _is_cvat(folder: Path) -> bool:
    """Return whether a folder has a whole export: other tools write a labelmap.txt too."""
    return (folder / "annotations.xml").is_file() or (
        (folder / cvat_masks.LABELS).is_file() and (folder / "JPEGImages").is_dir()
    )


def _is_camvid(folder: Path) -> bool:
    tree = SOURCES["camvid"].find_tree(folder)
    return tree is not None and (tree / "trainannot").is_dir()


def _is_json(source: str, kind: str) -> Callable[[Path], bool]:
    """Return whether a source finds JSON files, and the first is of its kind by its content."""

    def check(folder: Path) -> bool:
        if SOURCES[source].find_tree(folder) is None:
            return False
        places = {"coco": ("annotations/*.json", "*/_annotations.coco.json", "*.json"), "label_studio": ("*.json",)}
        found = (path for place in places.get(source, ("**/*.json",)) for path in sorted(folder.glob(place)))
        first = next((path for path in found if path.is_file() and not path.name.startswith(".")), None)
        return first is not None and _kind(first) == kind

    return check


def _kind(path: Path) -> str:
    with open(path, "rb") as file:
        start = file.read(_START).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        return "tasks"
    return "shapes" if _LABELME.search(start) else "instances"


# Folders that only one data set has come first. A user's own masks come before annotations, because they are final.
LAYOUTS: dict[str, Callable[[Path], bool]] = {
    "cityscapes": _has("cityscapes"),
    "oxford_iiit_pet": _has("oxford_iiit_pet"),
    "ade20k": _is_ade20k,
    "cvat": _is_cvat,
    "voc2012": _has("voc2012"),
    "folder": _has("folder"),
    "camvid": _is_camvid,
    "yolo": _has("yolo"),
    "coco": _is_json("coco", "instances"),
    "labelme": _is_json("labelme", "shapes"),
    "label_studio": _is_json("label_studio", "tasks"),
}
