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


def _entry(
    module: ModuleType, builder: Callable[..., tfds.core.DatasetBuilder], version: object, **more: bool
) -> Entry:
    """Return the entry of a source whose module has LAYOUT, `find_tree` and, unless params list its classes, TABLE."""
    return Entry(str(version), getattr(module, "TABLE", None), builder, module.find_tree, module.LAYOUT, **more)


def _local(module: ModuleType, builder: type[tfds.core.DatasetBuilder]) -> Entry:
    """Return the entry of a source that is only on the user's disk."""
    return _entry(module, builder, builder.VERSION, published=False)


def _annotated(module: ModuleType, builder: type[annotated.AnnotatedBuilder]) -> Entry:
    """Return the entry of a format of annotations."""
    return _entry(module, builder, builder.VERSION, published=False, annotated=True)


SOURCES = {
    "shapes": Entry(
        version=str(shapes.Shapes.VERSION),
        table=shapes.TABLE,
        builder=lambda tree, data_dir: shapes.Shapes(data_dir=data_dir),
        find_tree=lambda path: None,
        layout="",
        published=False,
    ),
    "camvid": _entry(camvid, camvid.Camvid, camvid.Camvid.VERSION),
    "voc2012": _entry(voc2012, voc2012.Voc2012, voc2012.Voc2012.VERSION),
    "oxford_iiit_pet": _entry(oxford_iiit_pet, oxford_iiit_pet.builder, oxford_iiit_pet.VERSION),
    "folder": _local(folder, folder.Folder),
    "cityscapes": _local(cityscapes, cityscapes.Cityscapes),
    "ade20k": _local(ade20k, ade20k.Ade20k),
    "coco": _annotated(coco, annotated.Coco),
    "yolo": _annotated(yolo, annotated.Yolo),
    "labelme": _annotated(labelme, annotated.Labelme),
    "cvat": _annotated(cvat, annotated.Cvat),
    "label_studio": _annotated(label_studio, annotated.LabelStudio),
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
