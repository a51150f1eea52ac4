"""CVAT's export as 'Segmentation mask 1.1': images, color masks, and the labels' colors in labelmap.txt."""

from collections import Counter
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from maskline.contracts.annotations import is_background
from maskline.datasets.formats.annotations import AnnotatedImage, Annotations, Region
from maskline.datasets.formats.pairs import read_list
from maskline.datasets.formats.reading import IMAGE_SUFFIXES, find_image, once, split_of_subset, visible_files
from maskline.datasets.formats.shapes import bitmap
from maskline.errors import InputError
from maskline.messages import one_line

LABELS = "labelmap.txt"
_IMAGES, _MASKS, _LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"


def read(tree: Path) -> Annotations:
    """Return the images of the lists, or all if there are none; classes are in the order of labelmap.txt.

    Raises:
        InputError: labelmap.txt is damaged, a list is of an unknown split, an image or its mask is missing, or a mask
            has another color.
    """
    colors = _colors(tree / LABELS)
    seen: dict[Path, str] = {}
    splits: dict[str, list[AnnotatedImage]] = {}
    for split, where, image in _images(tree):
        splits.setdefault(split, []).append(_annotated(tree, once(image, seen, where), colors))
    if "train" not in splits:
        raise InputError(f"{tree / _IMAGES} has no images for training; add some, or a list {_LISTS}/train.txt.")
    return Annotations(tree / LABELS, list(colors.values()), splits, tree / _IMAGES, Counter())


def _colors(path: Path) -> dict[int, str]:
    """Return the name of each color, 0xrrggbb, from lines such as 'car:255,0,0::'."""
    colors: dict[int, str] = {}
    for line in read_list(path):
        if line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        try:
            red, green, blue = (int(value) for value in rest.split(":")[0].split(","))
        except ValueError:
            red = green = blue = -1
        if not all(0 <= value <= 255 for value in (red, green, blue)):
            raise InputError(f"{path} must have a label and its color on each line. Received: {line[:80]!r}")
        color = red << 16 | green << 8 | blue
        if colors.setdefault(color, name) != name:
            raise InputError(f"{path} gives {colors[color]!r} and {name!r} one color; give each its own.")
    return colors


def _images(tree: Path) -> list[tuple[str, str, Path]]:
    """Return the split, the place that names it, and the path of each image."""
    lists = sorted((tree / _LISTS).glob("*.txt"))
    if not lists:
        return [("train", str(path), path) for path in visible_files(tree / _IMAGES, IMAGE_SUFFIXES)]
    found = []
    for listing in lists:
        split = split_of_subset(listing.stem, str(listing))
        for name in read_list(listing):
            where = f"{listing}: {name!r}"
            files = [f"{name}{suffix}" for suffix in IMAGE_SUFFIXES if (tree / _IMAGES / f"{name}{suffix}").is_file()]
            image = find_image([tree / _IMAGES], files[0] if files else f"{name}.jpg", where)
            found.append((split, where, image))
    return found


def _annotated(tree: Path, image: Path, colors: dict[int, str]) -> AnnotatedImage:
    name = image.relative_to(tree / _IMAGES)
    mask = find_image([tree / _MASKS], name.with_suffix(".png").as_posix(), str(image))
    values = _read(mask)
    present = np.unique(values).tolist()
    if unknown := [color for color in present if color not in colors]:
        raise InputError(
            f"{mask} has the color #{unknown[0]:06x} at {(values == unknown[0]).sum()} pixels, which {tree / LABELS} "
            "does not name; add it there, or correct the mask."
        )
    regions = [
        Region(colors[color], [bitmap(partial(_where, mask, color), 0, 0)], f"label {colors[color]!r}")
        for color in present
        if not is_background(colors[color])
    ]
    return AnnotatedImage(image, image.relative_to(tree).as_posix(), regions, values.shape[:2], str(mask))


@lru_cache(maxsize=1)
def _read(mask: Path) -> np.ndarray:
    """Return a mask's colors, 0xrrggbb, uint32 [H, W]."""
    try:
        with Image.open(mask, formats=["PNG"]) as image:
            red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.uint32), -1, 0)
    except Exception as error:  # Pillow raises whatever its parsers meet
        raise InputError(f"{mask} cannot be read as a PNG ({one_line(error)}); export the masks again.") from None
    return red << 16 | green << 8 | blue


def _where(mask: Path, color: int) -> np.ndarray:
    return _read(mask) == color
