"""Label Studio's JSON: tasks with brush strokes, polygons, rectangles and ellipses in percent of the image."""

import re
from collections import Counter
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from pydantic import BaseModel, TypeAdapter

from maskline.datasets.formats.annotations import AnnotatedImage, Annotations, Region
from maskline.datasets.formats.reading import IMAGE_SUFFIXES, find_image, once, read_json
from maskline.datasets.formats.shapes import Shape, bitmap, ellipse, polygon, turn
from maskline.datasets.formats.split_lists import split_images
from maskline.errors import InputError

LAYOUT = (
    "one JSON file that Label Studio exported as JSON, its images next to it or in images/, and train.txt, val.txt and "
    "test.txt if you have them"
)
_UPLOAD = re.compile(r"[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file


class _Value(BaseModel):
    points: list[tuple[float, float]] | None = None
    rle: list[int] | None = None
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    radiusX: float | None = None
    radiusY: float = 0
    rotation: float = 0
    labels: list[str] | None = None
    polygonlabels: list[str] | None = None
    brushlabels: list[str] | None = None
    rectanglelabels: list[str] | None = None
    ellipselabels: list[str] | None = None

    @property
    def names(self) -> list[str]:
        return self.polygonlabels or self.brushlabels or self.rectanglelabels or self.ellipselabels or self.labels or []


class _Result(BaseModel):
    id: str = ""
    type: str
    value: _Value | None = None
    original_width: int | None = None
    original_height: int | None = None
    image_rotation: float = 0


class _Annotation(BaseModel):
    result: list[_Result]
    was_cancelled: bool = False
    ground_truth: bool = False


class _Task(BaseModel):
    id: int | str
    data: dict[str, Any]
    annotations: list[_Annotation]
    file_upload: str | None = None


_FILE = TypeAdapter(list[_Task])


def find_tree(path: Path) -> Path | None:
    """Return the user's path if it has a JSON file."""
    return path if _json_files(path) else None


def read(tree: Path) -> Annotations:
    """Return the annotated images, by the split lists if there are any.

    Classes are in the order of their names, because the file does not list them.

    Of several annotations of a task, the ground truth counts, or else the first.

    Raises:
        InputError: the file is not Label Studio's, an image is missing, a region cannot be read, or a split list is
            wrong.
    """
    files = _json_files(tree)
    if len(files) > 1:
        raise InputError(f"{tree} has {files[0].name} and {files[1].name}; keep one export of Label Studio there.")
    skipped: Counter[str] = Counter()
    seen: dict[Path, str] = {}
    images = []
    for task in read_json(files[0], _FILE, "Label Studio's JSON export"):
        valid = [annotation for annotation in task.annotations if not annotation.was_cancelled]
        chosen = next((annotation for annotation in valid if annotation.ground_truth), next(iter(valid), None))
        skipped["repeated"] += sum(
            len(annotation.result) for annotation in task.annotations if annotation is not chosen
        )
        if chosen is not None:
            images.append(_image(tree, files[0], task, chosen, skipped, seen))
    splits = split_images(tree, images)
    kept = [image for split in splits.values() for image in split]
    names = sorted({region.name for image in kept for region in image.regions if region.name is not None})
    return Annotations(files[0], names, splits, tree, skipped)


def _json_files(tree: Path) -> list[Path]:
    return sorted(path for path in tree.glob("*.json") if not path.name.startswith("."))


def _image(
    tree: Path, path: Path, task: _Task, annotation: _Annotation, skipped: Counter[str], seen: dict[Path, str]
) -> AnnotatedImage:
    where = f"{path}: task {task.id}"
    file = once(_file(tree, task, where), seen, where)
    named = {result.id for result in annotation.result if result.value and result.value.names}
    regions, sizes = [], set()
    for number, result in enumerate(annotation.result):
        at = f"result {number} ({result.type})"
        value = result.value
        if value is None or not value.names or _kind(value) is None:
            is_twin = result.id in named and value is not None and _kind(value) is not None
            skipped["other_kind"] += not is_twin
            continue
        if len(value.names) > 1 or result.image_rotation or not result.original_width or not result.original_height:
            raise InputError(f"{where}: {at} must have one label, the image's size and no rotation; correct it.")
        size = result.original_height, result.original_width
        shape = _shape(value, *size)
        if shape is None:
            skipped["without_area"] += 1
            continue
        sizes.add(size)
        regions.append(Region(value.names[0], [shape], at))
    if len(sizes) > 1:
        raise InputError(f"{where} has regions for images of several sizes; export the annotations again.")
    name = file.relative_to(tree).as_posix()
    return AnnotatedImage(file, name, regions, next(iter(sizes), None), where)


def _file(tree: Path, task: _Task, where: str) -> Path:
    """Return a task's image, by the last part of its address, with or without what an upload puts before its name."""
    texts = [value for value in task.data.values() if isinstance(value, str)]
    addresses = [text for text in texts if _address(text).lower().endswith(IMAGE_SUFFIXES)]
    if len(addresses) != 1:
        raise InputError(f"{where} must have the address of one JPEG or PNG in its data. Received: {str(texts)[:200]}")
    address = _address(addresses[0])
    name = PurePosixPath(address).name
    for candidate in (address.lstrip("/"), name, _UPLOAD.sub("", name, count=1)):
        for folder in (tree / "images", tree):
            if ".." not in PurePosixPath(candidate).parts and (folder / candidate).is_file():
                return folder / candidate
    return find_image([tree / "images", tree], name, where)


def _address(text: str) -> str:
    """Return the path in an address, such as /data/upload/1/a.jpg or /data/local-files/?d=photos/a.jpg."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return parse_qs(parts.query).get("d", [unquote(parts.path)])[0]


def _kind(value: _Value) -> str | None:
    if value.rle is not None:
        return "brush"
    if value.points is not None:
        return "polygon"
    if value.radiusX is not None:
        return "ellipse"
    return "rectangle" if value.width and value.height else None


def _shape(value: _Value, height: int, width: int) -> Shape | None:
    """Return the shape of a region, or None for a polygon of fewer than three points."""
    kind = _kind(value)
    scale = np.array([width, height]) / 100
    if kind == "brush":
        return bitmap(partial(_alpha, value.rle or [], height, width), 0, 0)
    if kind == "polygon":
        points = np.array(value.points or []).reshape(-1, 2) * scale
        return polygon(points.ravel().tolist()) if len(points) > 2 else None
    x, y = np.array([value.x, value.y]) * scale
    if kind == "ellipse":
        radius_x, radius_y = np.array([value.radiusX, value.radiusY]) * scale
        return ellipse(x, y, radius_x, radius_y, value.rotation)
    right, bottom = np.array([value.width, value.height]) * scale
    corners = np.array([[0, 0], [0, bottom], [right, bottom], [right, 0]])  # turned around the first
    return polygon(np.add(turn(corners, value.rotation), (x, y)).ravel().tolist())


def _alpha(data: list[int], height: int, width: int) -> np.ndarray:
    """Return where a brush's strokes are not transparent, bool [H, W].

    The bits are a number of values, their size, four sizes of lengths, and runs: whether all values of it are one,
    which of the four sizes its length has, the length less one, and one value or each. The values are RGBA.

    Raises:
        ValueError: the data are of an image of another size, or end too early.
    """
    if not data or min(data) < 0 or max(data) > 255:
        raise ValueError("has run lengths that are not bytes")
    bits = np.unpackbits(np.array(data, np.uint8))
    text = (bits + ord("0")).tobytes().decode()
    count, size = int(text[:32], 2), int(text[32:37] or "0", 2) + 1
    if count != 4 * height * width:
        raise ValueError(f"has run lengths of {count // 4} pixels, but the image has {height * width}")
    sizes = [int(text[at : at + 4] or "0", 2) + 1 for at in range(37, 53, 4)]
    values = np.zeros(count, np.uint8)
    at, done = 53, 0
    weights = 1 << np.arange(size)[::-1]
    while done < count:
        head = text[at : at + 3]
        start = at + 3
        at = start + sizes[int(head[1:] or "0", 2)]
        if at >= len(text):
            raise ValueError("has run lengths that end too early")
        length = min(int(text[start:at], 2) + 1, count - done)
        words = 1 if head[0] == "1" else length
        part = bits[at : at + words * size]
        if len(part) < words * size:
            raise ValueError("has run lengths that end too early")
        values[done : done + length] = part.reshape(words, size) @ weights
        at, done = at + words * size, done + length
    return values.reshape(height, width, 4)[..., 3] > 0
