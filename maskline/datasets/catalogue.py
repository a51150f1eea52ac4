"""The sources by name: the builder, the classes and the local copies that each accepts."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import tensorflow_datasets as tfds

from maskline.datasets.formats import coco, cvat, label_studio, labelme, yolo
from maskline.datasets.formats.classes import ClassTable
from maskline.datasets.sources import (
    ade20k,
    annotated,
    camvid,
    cityscapes,
    folder,
    other,
    oxford_iiit_pet,
    shapes,
    voc2012,
)


class Entry(NamedTuple):
    """A source.

    Attributes:
        version: of its TFDS data set; None: any version.
        table: its classes; None: the params list them.
        builder: returns its TFDS builder from `tree`, an unpacked tree or None, and `data_dir`.
        find_tree: returns the unpacked tree in a user's path, or None.
        layout: description of that tree; '' if the source takes no tree.
        published: whether it can be downloaded or be in a TFDS data directory.
        annotated: whether its builder draws the masks, also takes `dataset`, and knows the classes once it has run.
    """

    version: str | None
    table: ClassTable | None
    builder: Callable[..., tfds.core.DatasetBuilder]
    find_tree: Callable[[Path], Path | None]
    layout: str
    published: bool = True
    annotated: bool = False


PREPARED = "a prepared TFDS data set"

SOURCES = {
    "shapes": Entry(
        version=str(shapes.Shapes.VERSION),
        table=shapes.TABLE,
        builder=lambda tree, data_dir: shapes.Shapes(data_dir=data_dir),
        find_tree=lambda path: None,
        layout="",
        published=False,
    ),
    "camvid": Entry(
        version=str(camvid.Camvid.VERSION),
        table=camvid.TABLE,
        builder=camvid.Camvid,
        find_tree=camvid.find_tree,
        layout=camvid.LAYOUT,
    ),
    "voc2012": Entry(
        version=str(voc2012.Voc2012.VERSION),
        table=voc2012.TABLE,
        builder=voc2012.Voc2012,
        find_tree=voc2012.find_tree,
        layout=voc2012.LAYOUT,
    ),
    "oxford_iiit_pet": Entry(
        version=oxford_iiit_pet.VERSION,
        table=oxford_iiit_pet.TABLE,
        builder=oxford_iiit_pet.builder,
        find_tree=oxford_iiit_pet.find_tree,
        layout=oxford_iiit_pet.LAYOUT,
    ),
    "folder": Entry(
        version=str(folder.Folder.VERSION),
        table=None,
        builder=folder.Folder,
        find_tree=folder.find_tree,
        layout=folder.LAYOUT,
        published=False,
    ),
    "cityscapes": Entry(
        version=str(cityscapes.Cityscapes.VERSION),
        table=cityscapes.TABLE,
        builder=cityscapes.Cityscapes,
        find_tree=cityscapes.find_tree,
        layout=cityscapes.LAYOUT,
        published=False,
    ),
    "ade20k": Entry(
        version=str(ade20k.Ade20k.VERSION),
        table=ade20k.TABLE,
        builder=ade20k.Ade20k,
        find_tree=ade20k.find_tree,
        layout=ade20k.LAYOUT,
        published=False,
    ),
}


def _annotated(builder: type[annotated.AnnotatedBuilder], form: ModuleType) -> Entry:
    """Return the entry of a format of annotations."""
    return Entry(
        version=str(builder.VERSION),
        table=None,
        builder=builder,
        find_tree=form.find_tree,
        layout=form.LAYOUT,
        published=False,
        annotated=True,
    )


SOURCES |= {
    "coco": _annotated(annotated.Coco, coco),
    "yolo": _annotated(annotated.Yolo, yolo),
    "labelme": _annotated(annotated.Labelme, labelme),
    "cvat": _annotated(annotated.Cvat, cvat),
    "label_studio": _annotated(annotated.LabelStudio, label_studio),
}


def entry_of(name: str) -> Entry:
    """Return the entry of a source, or that of the TFDS data set of that name."""
    if name in SOURCES:
        return SOURCES[name]
    return Entry(
        version=None,
        table=None,
        builder=lambda tree, data_dir: other.builder(name, data_dir),
        find_tree=lambda path: None,
        layout=PREPARED,
    )
