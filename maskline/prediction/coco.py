"""coco.json: the labels of all images as COCO annotations, one for each class in each image."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import PngImagePlugin

from maskline.contracts.classes import ClassInfo
from maskline.contracts.rle import as_text, bounding_box, class_runs
from maskline.errors import InputError
from maskline.files.artifacts import move
from maskline.messages import one_line

Form = Literal["rle", "polygons"]


class CocoImage(NamedTuple):
    """An image of coco.json: its name, and the PNG of its labels."""

    name: str
    labels: Path


def write_coco(path: Path, images: Sequence[CocoImage], classes: Sequence[ClassInfo], form: Form) -> None:
    """Write coco.json; the id of a category is the label of the class.

    Run lengths keep every pixel. Polygons approximate: they pass through the centers of border pixels, and holes are
    filled, because COCO's polygons have none.

    Args:
        path: to write.
        images: to include; their ids are their positions, from 1.
        classes: in label order.
        form: of the masks.

    Raises:
        InputError: a PNG of labels is damaged.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.writelines(_text(images, classes, form))
        move(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or os.fspath(path)
        raise


def _text(images: Sequence[CocoImage], classes: Sequence[ClassInfo], form: Form) -> Iterator[str]:
    """Yield the file in pieces, with one image's labels in memory at a time."""
    categories = [{"id": label, "name": c.name, "color": c.color} for label, c in enumerate(classes)]
    yield f'{{"categories": {_json(categories)},\n"annotations": ['
    entries, number = [], 0
    for image_id, image in enumerate(images, 1):
        labels = _labels(image.labels)
        height, width = labels.shape
        entries.append({"id": image_id, "file_name": image.name, "height": height, "width": width})
        for annotation in annotations(labels, len(classes), form):
            number += 1
            yield f"{',' if number > 1 else ''}\n{_json({'id': number, 'image_id': image_id} | annotation)}"
    yield f'],\n"images": [{_lines(entries)}]}}\n'


def _labels(path: Path) -> np.ndarray:
    """Return the labels in a PNG of any size, uint8 [H, W]; Image.open refuses large ones."""
    try:
        with PngImagePlugin.PngImageFile(path) as picture:
            return np.asarray(picture)
    except (OSError, SyntaxError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{path} is damaged ({one_line(error)}); remove it, and predict its image again.") from None


def annotations(labels: np.ndarray, classes: int, form: Form) -> Iterator[dict[str, Any]]:
    """Yield the annotation of each class in an image's labels uint8 [H, W], without ids."""
    height, width = labels.shape
    for label, runs in enumerate(class_runs(labels, classes)):
        area = int(runs[1::2].sum())
        if area:
            yield {
                "category_id": label,
                "segmentation": {"size": [height, width], "counts": as_text(runs)}
                if form == "rle"
                else _polygons(labels == label),
                "area": area,
                "bbox": bounding_box(runs, height),
                "iscrowd": 0,
            }


def _polygons(mask: np.ndarray) -> list[list[float]]:
    """Return the outline of each connected part of a mask bool [H, W], as x and y in turn."""
    import cv2  # not at the top, because few users ask for polygons

    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [_polygon(contour[:, 0, :]) for contour in contours]


def _polygon(points: np.ndarray) -> list[float]:
    """Return x and y in turn from the points of a contour, int [N, 2]; a line of pixels becomes a rectangle."""
    if len(points) > 2:
        return (points + 0.5).ravel().tolist()
    (left, top), (right, bottom) = points.min(axis=0).tolist(), (points.max(axis=0) + 1).tolist()
    return [left, top, right, top, right, bottom, left, bottom]


def _lines(entries: Iterable[dict[str, Any]]) -> str:
    return ",".join(f"\n{_json(entry)}" for entry in entries)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
