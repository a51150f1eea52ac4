"""Oxford-IIIT Pet from TFDS's own builder: 3,680 / 3,669 photographs with trimaps of pet, background and border."""

from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from maskline.datasets.formats.classes import index_table
from maskline.datasets.formats.pairs import first_with

VERSION = "4.0.0"
LAYOUT = "images/ and annotations/, unpacked from images.tar.gz and annotations.tar.gz"
TABLE = index_table({"pet": "#f4a261", "background": "#264653", "border": "#e9f5db"}, first=1)
_TfdsPets: Any = tfds.builder_cls("oxford_iiit_pet")


class _Unpacked:
    """Stands in for TFDS's download manager: every archive is the folder in which both were unpacked."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    def download_and_extract(self, urls: dict[str, str]) -> dict[str, str]:
        return {name: str(self._tree) for name in urls}


class _UnpackedPets(_TfdsPets, skip_registration=True):  # type: ignore[call-arg]  # TFDS has no types
    """TFDS's builder on an unpacked tree."""

    name = "oxford_iiit_pet"

    def __init__(self, *, tree: Path, **kwargs: Any) -> None:
        self._tree = tree
        super().__init__(**kwargs)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> Any:
        return super()._split_generators(_Unpacked(self._tree))


def builder(tree: Path | None, data_dir: Path) -> tfds.core.DatasetBuilder:
    """Return TFDS's builder, on an unpacked tree if there is one."""
    if tree is not None:
        return _UnpackedPets(tree=tree, data_dir=data_dir, version=VERSION)
    return tfds.builder(f"oxford_iiit_pet:{VERSION}", data_dir=data_dir)


def find_tree(path: Path) -> Path | None:
    """Return the user's path if both archives were unpacked in it."""
    return first_with([path], lambda folder: (folder / "annotations/trimaps").is_dir() and (folder / "images").is_dir())
