"""YOLO segmentation: data.yaml, and a text file per image with a class and a polygon on each line."""

import math
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from maskline.datasets.formats.annotations import AnnotatedImage, Annotations, Region
from maskline.datasets.formats.pairs import read_list
from maskline.datasets.formats.reading import IMAGE_SUFFIXES, visible_files
from maskline.datasets.formats.shapes import polygon
from maskline.datasets.regular import require_regular
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml

LAYOUT = (
    "data.yaml with names, train, and val and test if you have them, whose images/ folders have labels/ next to them"
)
_SPLITS = {"train": "train", "validation": "val", "test": "test"}
_CLASSES = "classes.txt"  # that some tools write next to the labels
_BOX = 5  # values of a line: a class and a box, or a class and two points


def find_tree(path: Path) -> Path | None:
    """Return the user's path if it has a data.yaml."""
    return path if _yaml(path) else None


def read(tree: Path) -> Annotations:
    """Return the images of the folders or lists that data.yaml names; classes are in the order of their index.

    Raises:
        InputError: data.yaml lacks a key, a folder or an image is missing, or a line is not a class and a polygon.
    """
    path = _yaml(tree)
    assert path is not None
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold names and train. Received: {str(values)[:80]!r}")
    names = _names(path, values)
    skipped: Counter[str] = Counter()
    seen: dict[Path, str] = {}
    splits = {
        split: [
            _image(tree, _once(image, seen, path, key), names, skipped) for image in _images(tree, path, values, key)
        ]
        for split, key in _SPLITS.items()
        if values.get(key)
    }
    if "train" not in splits:
        raise InputError(f"{path} must name a folder or a list of images for train. Received: {values.get('train')!r}")
    _check_labels(tree, set(seen))
    return Annotations(path, names, splits, tree, skipped)


def _once(image: Path, seen: dict[Path, str], path: Path, key: str) -> Path:
    """Return an image's path, and raise InputError if data.yaml names it a second time."""
    if seen.get(image) == key:
        raise InputError(f"{path} names {image} twice for {key}; remove one of the two.")
    if image in seen:
        raise InputError(
            f"{path} names {image} for both {seen[image]} and {key}, but no image may be in two splits; "
            f"name other images for {key}, or remove {key}, and a part of train is held out for it."
        )
    seen[image] = key
    return image


def _yaml(tree: Path) -> Path | None:
    found = [tree / name for name in ("data.yaml", "data.yml", "dataset.yaml") if (tree / name).is_file()]
    return next(iter(found), None)


def _names(path: Path, values: dict[str, Any]) -> list[str]:
    names = values.get("names")
    if isinstance(names, dict) and sorted(map(str, names)) == sorted(map(str, range(len(names)))):
        names = [names.get(i, names.get(str(i))) for i in range(len(names))]
    if not isinstance(names, list) or not names:
        raise InputError(f"{path} must list the class names in names, by index from 0. Received: {str(names)[:80]!r}")
    if values.get("nc") not in (None, len(names)):
        raise InputError(f"{path} has {len(names)} names, but nc is {values['nc']}; correct one of the two.")
    return [str(name) for name in names]


def _images(tree: Path, path: Path, values: dict[str, Any], key: str) -> list[Path]:
    """Return the images of a split, in order."""
    given = values[key] if isinstance(values[key], list) else [values[key]]
    images: list[Path] = []
    for place in (_place(tree, path, values.get("path"), str(entry)) for entry in given):
        if place.is_dir():
            images += visible_files(place, IMAGE_SUFFIXES)
        else:
            images += [_place(tree, place, None, line) for line in read_list(place)]
    if not images:
        raise InputError(f"{path} names {str(values[key])[:80]!r} for {key}, which has no JPEG or PNG; correct it.")
    return images


def _place(tree: Path, listing: Path, base: Any, entry: str) -> Path:
    """Return a folder or file in the tree; data.yaml may give it relative to its `path`, or to a folder next to it."""
    steps = _inside(entry)
    for folder in (tree.joinpath(*_inside(str(base or ""))), tree, listing.parent):
        place = folder.joinpath(*steps)
        if steps and "\0" not in entry and place.exists():
            return place
    raise InputError(f"{listing} names {entry!r}, which is not in {tree}; correct it, or add it.")


def _inside(entry: str) -> list[str]:
    """Return the parts of a path, without those that lead out of the tree."""
    return [part for part in PurePosixPath(entry.replace("\\", "/")).parts if part not in ("..", ".", "/")]


def _image(tree: Path, image: Path, names: list[str], skipped: Counter[str]) -> AnnotatedImage:
    labels = _labels_of(tree, image)
    regions = []
    for number, line in enumerate(_lines(labels), 1):
        where = f"{labels} line {number}"
        name, points = _parsed(line, names, where)
        if len(points) < _BOX:
            skipped["without_area"] += 1
            continue
        try:
            regions.append(Region(name, [polygon(points, per_width=True)], f"line {number}"))
        except ValueError as error:
            raise InputError(f"{where} {error}; correct it, or delete it.") from None
    return AnnotatedImage(image, image.relative_to(tree).as_posix(), regions, None, str(labels))


def _labels_of(tree: Path, image: Path) -> Path:
    """Return an image's text file: in labels/ in the place of the last images/, or next to the image."""
    parts = list(image.relative_to(tree).with_suffix(".txt").parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return tree.joinpath(*parts)


def _check_labels(tree: Path, images: set[Path]) -> None:
    """Raise InputError if a text file in a folder of labels has no image."""
    for folder in sorted({image.parent for image in images}):
        labels = {_labels_of(tree, path) for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}
        for path in sorted(next(iter(labels)).parent.glob("*.txt")):
            if path.parent != folder and path.name != _CLASSES and path not in labels:
                raise InputError(
                    f"{path} has no JPEG or PNG in {folder}; add or convert it, or move the file elsewhere."
                )


def _lines(path: Path) -> list[str]:
    """Return the lines of a text file, which is missing where an image has no annotation."""
    require_regular(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}; export the annotations again.") from None
    return [line for line in text.split("\n") if line.strip()]


def _parsed(line: str, names: list[str], where: str) -> tuple[str, list[float]]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        values = []
    if not values or not values[0].is_integer() or not all(map(math.isfinite, values)):
        raise InputError(f"{where} is not a class and a polygon in numbers; correct it. Received: {line[:80]!r}")
    if not 0 <= values[0] < len(names):
        raise InputError(f"{where} has the class {values[0]:g}, but data.yaml has {len(names)} names; correct it.")
    return names[int(values[0])], values[1:]
