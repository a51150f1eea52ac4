"""One data set in every form in which people have their own: for benchmarks/own_data.py."""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

from annotation_files import (  # noqa: E402
    VOID,
    Labeled,
    write_coco,
    write_cvat,
    write_cvat_masks,
    write_images,
    write_label_studio,
    write_labelme,
    write_yolo,
)

Splits = dict[str, list[Labeled]]  # by 'train', 'val' and 'test'
Writer = Callable[[Path, Splits, Sequence[str]], None]


def with_void_class(splits: Splits, names: Sequence[str]) -> tuple[Splits, list[str]]:
    """Return the data with void as a class of that name, for forms that have no other way to say it."""
    named = {
        split: [each._replace(labels=np.where(each.labels == VOID, len(names), each.labels)) for each in images]
        for split, images in splits.items()
    }
    return named, [*names, "void"]


def coco(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    write_coco(folder, splits, names, background=-1)


def coco_polygons(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    write_coco(folder, splits, names, "polygons", background=-1)


def yolo(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    write_yolo(folder, *with_void_class(splits, names))


def labelme(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    write_labelme(folder, together(splits), names)
    write_lists(folder, splits)


def cvat(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    subsets = {"train": "Train", "val": "Validation", "test": "Test"}
    named, with_void = with_void_class(splits, names)
    write_cvat(folder, {subsets[split]: images for split, images in named.items()}, with_void)


def cvat_masks(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    write_cvat_masks(folder, *with_void_class(splits, names))


def label_studio(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    named, with_void = with_void_class(splits, names)
    write_label_studio(folder, together(named), with_void)
    write_lists(folder, splits)


def suffixes(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    """Write images and masks next to each other's names, such as 1.png and 1_mask.png, without lists and names."""
    write_pairs(folder, together(splits), lambda labels: labels, mask_ending="_mask.png")


def index_masks(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    """Write masks of values and classes.txt, with void as the last class."""
    named, with_void = with_void_class(splits, names)
    write_pairs(folder, together(named), lambda labels: labels)
    (folder / "classes.txt").write_text("\n".join(with_void) + "\n")
    write_lists(folder, splits)


def color_masks(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    """Write masks of colors and label_colors.txt, with void in black."""
    named, with_void = with_void_class(splits, names)
    colors = np.array([*((60 + 17 * i, 250 - 20 * i, 90 * i % 256) for i in range(len(names))), (0, 0, 0)], np.uint8)
    write_pairs(folder, together(named), lambda labels: colors[labels])
    rows = [f"{r} {g} {b} {name}" for (r, g, b), name in zip(colors.tolist(), with_void, strict=True)]
    (folder / "label_colors.txt").write_text("\n".join(rows) + "\n")
    write_lists(folder, splits)


def tiff(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    write_pairs(folder, together(splits), lambda labels: labels, ending=".tif", mask_ending=".tif")
    write_lists(folder, splits)


FORMATS: dict[str, Writer] = {
    "coco": coco,
    "coco polygons": coco_polygons,
    "yolo": yolo,
    "labelme": labelme,
    "cvat": cvat,
    "cvat masks": cvat_masks,
    "label studio": label_studio,
    "suffixes": suffixes,
    "index masks": index_masks,
    "color masks": color_masks,
    "tiff": tiff,
}


def together(splits: Splits) -> list[Labeled]:
    return [image for images in splits.values() for image in images]


def write_lists(folder: Path, splits: Splits) -> None:
    """Write train.txt, val.txt and test.txt."""
    for split, images in splits.items():
        names = [Path(image.name).stem for image in images]
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")


def write_pairs(
    folder: Path,
    images: Sequence[Labeled],
    mask: Callable[[np.ndarray], np.ndarray],
    ending: str = ".png",
    mask_ending: str = ".png",
) -> None:
    """Write images/ and masks/."""
    stems = [Path(image.name).stem for image in images]
    pixels = [image if ending == ".png" else image._replace(image=decoded(image)) for image in images]
    write_images(folder / "images", [each._replace(name=f"{s}{ending}") for each, s in zip(pixels, stems, strict=True)])
    masks = [
        Labeled(f"{s}{mask_ending}", mask(each.labels), each.labels) for each, s in zip(images, stems, strict=True)
    ]
    write_images(folder / "masks", masks)


def decoded(image: Labeled) -> np.ndarray:
    """Return the pixels of an image."""
    return np.asarray(Image.open(io.BytesIO(image.image)) if isinstance(image.image, bytes) else image.image)
