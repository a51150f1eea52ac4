"""LabelMe: a JSON file per image with polygons, rectangles, circles and masks."""

import base64
import binascii
import io
import math
from collections import Counter
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from pydantic import BaseModel, TypeAdapter

from maskline.datasets.formats.annotations import AnnotatedImage, Annotations, Region
from maskline.datasets.formats.pairs import read_list
from maskline.datasets.formats.reading import find_image, once, read_json, visible_files
from maskline.datasets.formats.shapes import Shape, bitmap, box, ellipse, polygon
from maskline.datasets.formats.split_lists import split_images
from maskline.errors import InputError
from maskline.messages import one_line

LAYOUT = (
    "a folder of LabelMe's JSON files, at any depth, with their images next to them, and labels.txt, and train.txt, "
    "val.txt and test.txt if you have them"
)
_IGNORED = "__ignore__"  # LabelMe's name for pixels that count for nothing
_LINES = ("line", "linestrip", "point", "points")


class _Shape(BaseModel):
    label: str
    points: list[tuple[float, float]]
    shape_type: str = "polygon"
    mask: str | None = None


class _File(BaseModel):
    shapes: list[_Shape]
    imagePath: str
    imageHeight: int | None = None
    imageWidth: int | None = None


_FILE = TypeAdapter(_File)


def find_tree(path: Path) -> Path | None:
    """Return the user's path if it has a JSON file."""
    return path if any(visible_files(path, [".json"])) else None


def read(tree: Path) -> Annotations:
    """Return the images that have a JSON file, by the split lists if there are any.

    Classes are in the order of labels.txt, or of their names.

    Raises:
        InputError: a file is not LabelMe's, its image is missing, two files have one image, or a split list is wrong.
    """
    skipped: Counter[str] = Counter()
    seen: dict[Path, str] = {}
    images = [_image(tree, path, skipped, seen) for path in visible_files(tree, [".json"])]
    splits = split_images(tree, images)
    kept = [image for split in splits.values() for image in split]
    used = {region.name for image in kept for region in image.regions if region.name is not None}
    listing = tree / "labels.txt"
    if not listing.exists():
        return Annotations(tree, sorted(used), splits, tree, skipped)
    names = [name for name in read_list(listing) if name != _IGNORED]
    for image in kept:
        for region in image.regions:
            if region.name is not None and region.name not in names:
                raise InputError(f"{image.where}: {region.where} is not in {listing}; add it there, or correct it.")
    return Annotations(listing, names, splits, tree, skipped)


def _image(tree: Path, path: Path, skipped: Counter[str], seen: dict[Path, str]) -> AnnotatedImage:
    content = read_json(path, _FILE, "LabelMe's JSON")
    image = _image_of(tree, path, content.imagePath)
    regions = []
    for number, shape in enumerate(content.shapes):
        where = f"shape {number} ({shape.label!r})"
        if shape.shape_type in _LINES:
            skipped["other_kind"] += 1
        elif shape.shape_type == "polygon" and len(shape.points) < 3:
            skipped["without_area"] += 1
        else:
            try:
                drawn = _drawn(shape)
            except ValueError as error:
                raise InputError(f"{path}: {where} {error}; correct it, or delete it.") from None
            regions.append(Region(None if shape.label == _IGNORED else shape.label, [drawn], where))
    given = content.imageHeight, content.imageWidth
    size = None if given[0] is None or given[1] is None else (given[0], given[1])
    name = image.relative_to(tree).as_posix()
    return AnnotatedImage(once(image, seen, str(path)), name, regions, size, str(path))


def _image_of(tree: Path, path: Path, name: str) -> Path:
    """Return a file's image, whose path is relative to the file's folder, or the image of its name next to the file."""
    steps = name.replace("\\", "/")
    folder = path.parent
    while steps.startswith("../") and folder != tree:
        steps, folder = steps.removeprefix("../"), folder.parent
    try:
        return find_image([folder], steps, str(path))
    except InputError:
        beside = path.parent / PurePosixPath(steps).name
        if beside.is_file():
            return beside
        raise


def _drawn(shape: _Shape) -> Shape:
    """Return the shape of an annotation.

    Raises:
        ValueError: it has another number of points than its kind, or its kind is unknown.
    """
    values = [value for point in shape.points for value in point]
    if shape.shape_type == "polygon":
        return polygon(values)
    if shape.shape_type not in ("rectangle", "circle", "mask"):
        raise ValueError(f"is of the unknown kind {shape.shape_type!r}")
    if len(values) != 4 or not all(map(math.isfinite, values)):
        raise ValueError(f"is a {shape.shape_type} of {len(shape.points)} points, not 2")
    first_x, first_y, second_x, second_y = values
    if shape.shape_type == "rectangle":
        return box(min(first_x, second_x), min(first_y, second_y), max(first_x, second_x), max(first_y, second_y))
    if shape.shape_type == "circle":
        radius = math.hypot(second_x - first_x, second_y - first_y)
        return ellipse(first_x, first_y, radius, radius)
    return bitmap(partial(_mask, shape.mask), round(first_x), round(first_y))


def _mask(text: str | None) -> np.ndarray:
    """Return the mask in a PNG in base64, bool [h, w]."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text or "", validate=True)), formats=["PNG"]) as image:
            return np.asarray(image.convert("L")) > 0
    except (binascii.Error, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"has a mask that is not a PNG in base64 ({one_line(error)})") from None
