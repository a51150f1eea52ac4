"""Oxford-IIIT Pet by TFDS's own builder: 3,680 / 3,669 photographs with trimaps of pet, background and border."""

from pathlib import Path

import tensorflow_datasets as tfds

from maskline.datasets.formats.classes import index_table
from maskline.datasets.formats.pairs import first_with

VERSION = "4.0.0"
LAYOUT = "images/ and annotations/, unpacked from images.tar.gz and annotations.tar.gz"
TABLE = index_table({"pet": "#f4a261", "background": "#264653", "border": "#e9f5db"}, first=1)


class _Unpacked:
    """Stands in for TFDS's download manager where both archives lie unpacked in one folder."""

    downloaded_size = 0

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    def download_and_extract(self, urls: dict[str, str]) -> dict[str, str]:
        return {name: str(self._tree) for name in urls}


def builder(tree: Path | None, data_dir: Path) -> tfds.core.DatasetBuilder:
    """Return TFDS's builder, reading an unpacked tree where there is one."""
    pets = tfds.builder(f"oxford_iiit_pet:{VERSION}", data_dir=data_dir)
    if tree is not None:
        pets._make_download_manager = lambda **_: _Unpacked(tree)
    return pets


def find_tree(path: Path) -> Path | None:
    """Return the user's path if both archives were unpacked in it."""
    return first_with([path], lambda folder: (folder / "annotations/trimaps").is_dir() and (folder / "images").is_dir())
