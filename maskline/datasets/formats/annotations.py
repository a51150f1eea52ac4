"""Annotated images as every annotation format gives them, and the masks that are drawn from them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from maskline.contracts.annotations import BACKGROUND, is_background
from maskline.contracts.classes import VOID
from maskline.datasets.formats.reading import image_size
from maskline.datasets.formats.shapes import Shape, pixels
from maskline.errors import InputError

_FREE = -1

Order = Literal["last", "smallest"]


class Region(NamedTuple):
    """An annotation: its class, None if its pixels are void, the shapes that together cover it, and its place."""

    name: str | None
    shapes: Sequence[Shape]
    where: str


class AnnotatedImage(NamedTuple):
    """An image, its name in the data set, its annotations in the file's order, and its place in the file.

    `size` is the height and width that the file gives, or None.
    """

    path: Path
    name: str
    regions: list[Region]
    size: tuple[int, int] | None
    where: str


class Annotations(NamedTuple):
    """A data set in an annotation format.

    Attributes:
        file: the file or folder that names the classes.
        names: of the classes, in the file's order; classes of one name are one class.
        splits: the images of each split.
        folder: of the images, at any depth.
        skipped: number of annotations that the format's custom leaves out, by field of `AnnotationCounts`.
    """

    file: Path
    names: list[str]
    splits: dict[str, list[AnnotatedImage]]
    folder: Path
    skipped: Counter[str]


class Drawn(NamedTuple):
    """A mask, uint8 [H, W], the pixels that two classes claim, and the annotations with and without pixels."""

    mask: np.ndarray
    overlap: int
    drawn: int
    empty: int


def class_order(data: Annotations, picked: Sequence[str] | None) -> list[str]:
    """Return the classes: those that are picked, or else background and the file's classes that annotations have.

    Raises:
        InputError: a picked class is not in the file, or no class has an annotation.
    """
    unused = unused_names(data)
    present = [name for name in dict.fromkeys(data.names) if name not in unused and not is_background(name)]
    if picked is None:
        if not present:
            raise InputError(f"{data.file} has no annotation with an area; annotate images, or correct dataset.path.")
        return [BACKGROUND, *present]
    for name in picked:
        if name not in (*data.names, BACKGROUND):
            raise InputError(
                f"dataset.classes has {name!r}, which is not a class of {data.file} ({', '.join(data.names)[:400]}); "
                f"correct it, or set dataset.classes to null to use all of them."
            )
    return list(picked)


def unused_names(data: Annotations) -> set[str]:
    """Return the file's classes that no annotation has, without background."""
    used = {region.name for images in data.splits.values() for image in images for region in image.regions}
    return {name for name in data.names if name not in used and not is_background(name)}


def labels_by_name(names: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Return the label of background and of each of the file's names that is one of the classes."""
    index = {name: label for label, name in enumerate(classes)}
    background = next((label for name, label in index.items() if is_background(name)), None)
    labels = {name: background if is_background(name) else index.get(name) for name in (BACKGROUND, *names)}
    return {name: label for name, label in labels.items() if label is not None}


def draw_on(image: AnnotatedImage, labels: Mapping[str, int], rest: int, overlap: Order) -> Drawn:
    """Draw the mask of an image, as large as its file once it is upright; see `draw`.

    Raises:
        InputError: the file cannot be read, has another size than the annotations say, or a region does not fit it.
    """
    height, width = image_size(image.path)
    if image.size is not None and image.size != (height, width):
        raise InputError(
            f"{image.where}: the annotations are of {image.size[1]} x {image.size[0]} pixels, but {image.path} has "
            f"{width} x {height} (upright); annotate this image, or restore the one that was annotated."
        )
    return draw(image, height, width, labels, rest, overlap)


def draw(image: AnnotatedImage, height: int, width: int, labels: Mapping[str, int], rest: int, overlap: Order) -> Drawn:
    """Draw the mask of an image.

    Args:
        image: whose regions are drawn; one of a class without a label is drawn like the rest.
        height: of the mask, pixels.
        width: of the mask, pixels.
        labels: of the classes by name.
        rest: label of pixels that no region covers.
        overlap: which of two regions is on top: the last, or the one with fewer pixels.

    Raises:
        InputError: a region does not fit the image.
    """
    runs = [[_runs(image, region, shape, height, width) for shape in region.shapes] for region in image.regions]
    areas = [sum(map(pixels, parts)) for parts in runs]
    order = sorted(range(len(runs)), key=lambda i: -areas[i] if overlap == "smallest" else 0)
    free = np.full(height * width, _FREE, np.int16)
    canvas = Canvas(free, free.copy(), np.zeros(height * width, bool))
    for i in order:
        name = image.regions[i].name
        for part in runs[i]:
            _paint(canvas, part, VOID if name is None else labels.get(name, rest), name in labels)
    canvas.labels[canvas.labels == _FREE] = rest
    mask = canvas.labels.reshape(width, height).T.astype(np.uint8)
    kept = [area for area, region in zip(areas, image.regions, strict=True) if region.name in (None, *labels)]
    return Drawn(mask, int(canvas.claimed.sum()), sum(area > 0 for area in kept), sum(area == 0 for area in kept))


def _runs(image: AnnotatedImage, region: Region, shape: Shape, height: int, width: int) -> np.ndarray:
    try:
        return shape(height, width)
    except ValueError as error:
        raise InputError(f"{image.where}: {region.where} {error}; correct it, or delete it.") from None


class Canvas(NamedTuple):
    """Pixels, column by column: labels and the first class that claimed each, int16, and whether a second did, bool."""

    labels: np.ndarray
    first: np.ndarray
    claimed: np.ndarray


def _paint(canvas: Canvas, runs: np.ndarray, label: int, claims: bool) -> None:
    """Give the pixels of runs a label, and note whether a class claims them that another has claimed."""
    if not runs[1::2].any():
        return
    borders = runs.cumsum()
    start, end = int(borders[0]), int(borders[len(runs) // 2 * 2 - 1])
    inside = np.repeat(np.arange(1, len(runs)) % 2 == 1, runs[1:])[: end - start]
    canvas.labels[start:end][inside] = label
    if claims:
        first = canvas.first[start:end]
        canvas.claimed[start:end] |= inside & (first != _FREE) & (first != label)
        first[inside & (first == _FREE)] = label
