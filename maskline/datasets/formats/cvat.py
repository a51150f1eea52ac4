"""CVAT for images 1.1: one XML file with polygons, boxes, ellipses and masks of all images."""

import math
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from maskline.datasets.formats import cvat_masks
from maskline.datasets.formats.annotations import AnnotatedImage, Annotations, Region
from maskline.datasets.formats.reading import find_image, once, read_xml, split_of_subset
from maskline.datasets.formats.shapes import Shape, boxed_run_lengths, ellipse, polygon, turn
from maskline.errors import InputError

XML = "annotations.xml"
LAYOUT = (
    "CVAT's export as 'CVAT for images 1.1' (annotations.xml and images/) or as 'Segmentation mask 1.1' (labelmap.txt, "
    "JPEGImages/ and SegmentationClass/)"
)
_VERSION = "1.1"
_OTHERS = ("polyline", "points", "tag", "cuboid", "skeleton")


def find_tree(path: Path) -> Path | None:
    """Return the user's path if it has one of the two exports."""
    return path if (path / XML).is_file() or (path / cvat_masks.LABELS).is_file() else None


def read(tree: Path) -> Annotations:
    """Return the images of either export."""
    return _read(tree) if (tree / XML).is_file() else cvat_masks.read(tree)


def _read(tree: Path) -> Annotations:
    """Return the images of annotations.xml; classes are in the order of the task's labels.

    Raises:
        InputError: the file is of another version or a video, an image is missing or of an unknown subset, or a shape
            cannot be read.
    """
    path = tree / XML
    root = read_xml(path)
    version = (root.findtext("version") or "").strip()
    if root.tag != "annotations" or version != _VERSION or root.find("track") is not None:
        found = (
            "a video's tracks" if root.find("track") is not None else f"<{root.tag[:40]}> of version {version[:40]!r}"
        )
        raise InputError(f"{path} must be CVAT's export as 'CVAT for images 1.1'. Received: {found}")
    listed = [text for label in root.iterfind("meta//labels/label") if (text := label.findtext("name"))]
    skipped: Counter[str] = Counter()
    seen: dict[Path, str] = {}
    splits: dict[str, list[AnnotatedImage]] = {}
    for element in root.iterfind("image"):
        image = _image(tree, path, element, skipped, seen)
        splits.setdefault(split_of_subset(element.get("subset", ""), image.where), []).append(image)
    if "train" not in splits:
        raise InputError(f"{path} has no image for training; move images to the subset Train.")
    used = {region.name for images in splits.values() for image in images for region in image.regions}
    names = list(dict.fromkeys(listed)) or sorted(name for name in used if name is not None)
    for image in (image for images in splits.values() for image in images):
        for region in image.regions:
            if region.name not in names:
                raise InputError(f"{image.where}: {region.where} is not among the labels; correct it.")
    return Annotations(path, names, splits, tree, skipped)


def _image(tree: Path, path: Path, element: Element, skipped: Counter[str], seen: dict[Path, str]) -> AnnotatedImage:
    name = element.get("name", "")
    where = f"{path}: image {name!r}"
    subset = element.get("subset", "default")
    folders = [tree / "images", tree / "images" / subset, tree, tree / subset]
    file = once(find_image(folders, name, where), seen, where)
    regions: list[tuple[int, Region]] = []
    for number, shape in enumerate(element):
        label = shape.get("label", "")
        if shape.tag in _OTHERS:
            skipped["other_kind"] += 1
            continue
        at = f"shape {number} ({shape.tag} {label!r})"
        try:
            if (drawn := _drawn(shape)) is None:
                skipped["without_area"] += 1
            else:
                regions.append((int(_number(shape.get("z_order", "0"))), Region(label, [drawn], at)))
        except ValueError as error:
            raise InputError(f"{where}: {at} {error}; correct it, or delete it.") from None
    regions.sort(key=lambda pair: pair[0])
    try:
        size = int(element.get("height", "")), int(element.get("width", ""))
    except ValueError:
        raise InputError(f"{where} has no width and height in pixels; export the annotations again.") from None
    ordered = [region for _, region in regions]
    return AnnotatedImage(file, file.relative_to(tree).as_posix(), ordered, size, where)


def _drawn(shape: Element) -> Shape | None:
    """Return the shape of an element, or None for a polygon of fewer than three points.

    Raises:
        ValueError: an attribute is missing or is no number, or the kind is unknown.
    """
    if shape.tag == "polygon":
        points = [_number(value) for pair in shape.get("points", "").split(";") for value in pair.split(",")]
        return polygon(points) if len(points) > 5 or len(points) % 2 else None
    if shape.tag == "box":
        left, top, right, bottom = (_number(shape.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
        corners = np.array([[left, top], [left, bottom], [right, bottom], [right, top]])
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        turned = corners if not _rotation(shape) else turn(corners - middle, _rotation(shape)) + middle
        return polygon(turned.ravel().tolist())
    if shape.tag == "ellipse":
        x, y, radius_x, radius_y = (_number(shape.get(key)) for key in ("cx", "cy", "rx", "ry"))
        return ellipse(x, y, radius_x, radius_y, _rotation(shape))
    if shape.tag == "mask":
        return _mask(shape)
    raise ValueError(f"is of the unknown kind {shape.tag[:40]!r}")


def _rotation(shape: Element) -> float:
    return _number(shape.get("rotation", "0"))


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"has a coordinate that is no number ({(text or '')[:40]!r})")
    return value


def _mask(shape: Element) -> Shape:
    left, top, width, height = (int(_number(shape.get(key))) for key in ("left", "top", "width", "height"))
    counts = [int(_number(text)) for text in shape.get("rle", "").split(",")]
    return boxed_run_lengths(counts, left, top, width, height)
