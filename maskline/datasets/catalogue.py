"""The sources by name: how each is built, and what its masks mean."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tensorflow_datasets as tfds

from maskline.datasets.formats.classes import ClassTable
from maskline.datasets.sources import camvid, folder, other, oxford_iiit_pet, shapes, voc2012


class Entry(NamedTuple):
    """A source.

    Attributes:
        version: of its TFDS data set; None: any.
        table: its classes; None: params give them.
        builder: from an unpacked tree (None: drawn, or from the network) and a data_dir to its TFDS builder.
        find_tree: from a user's path to the unpacked tree in it, or None; None: it has no local form.
        layout: that tree in words; '' where there is none.
        published: whether the network or a TFDS data directory may hold it.
    """

    version: str | None
    table: ClassTable | None
    builder: Callable[[Path | None, Path], tfds.core.DatasetBuilder]
    find_tree: Callable[[Path], Path | None]
    layout: str
    published: bool = True


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
        builder=lambda tree, data_dir: camvid.Camvid(tree=tree, data_dir=data_dir),
        find_tree=camvid.find_tree,
        layout=camvid.LAYOUT,
    ),
    "voc2012": Entry(
        version=str(voc2012.Voc2012.VERSION),
        table=voc2012.TABLE,
        builder=lambda tree, data_dir: voc2012.Voc2012(tree=tree, data_dir=data_dir),
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
        builder=lambda tree, data_dir: folder.Folder(tree=tree, data_dir=data_dir),
        find_tree=folder.find_tree,
        layout=folder.LAYOUT,
        published=False,
    ),
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
