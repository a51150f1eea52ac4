"""Cityscapes: street scenes of 2048 x 1024 pixels, 19 classes; the 500 validation images are the test split."""

from pathlib import Path

import tensorflow_datasets as tfds

from maskline.contracts.classes import ClassInfo
from maskline.datasets.features import segmentation_info
from maskline.datasets.formats.classes import ClassTable
from maskline.datasets.formats.pairs import checked_example, first_with
from maskline.datasets.sources.tree import FileExample, TreeBuilder
from maskline.errors import InputError

LAYOUT = "leftImg8bit/ and gtFine/ with train/ and val/, and *_gtFine_labelIds.png"
SPLITS = {"train": "train", "test": "val"}  # the labels of the official test set are not public
_IMAGE, _MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"
_CLASSES = {  # value in labelIds, name, color
    7: ("road", "#804080"),
    8: ("sidewalk", "#f423e8"),
    11: ("building", "#464646"),
    12: ("wall", "#66669c"),
    13: ("fence", "#be9999"),
    17: ("pole", "#999999"),
    19: ("traffic light", "#faaa1e"),
    20: ("traffic sign", "#dcdc00"),
    21: ("vegetation", "#6b8e23"),
    22: ("terrain", "#98fb98"),
    23: ("sky", "#4682b4"),
    24: ("person", "#dc143c"),
    25: ("rider", "#ff0000"),
    26: ("car", "#00008e"),
    27: ("truck", "#000046"),
    28: ("bus", "#003c64"),
    31: ("train", "#005064"),
    32: ("motorcycle", "#0000e6"),
    33: ("bicycle", "#770b20"),
}
TABLE = ClassTable(
    "index",
    [ClassInfo(name=name, color=color) for name, color in _CLASSES.values()],
    {str(value): label for label, value in enumerate(_CLASSES)},
    [str(value) for value in range(34) if value not in _CLASSES],
)
_CITATION = """@inproceedings{cordts2016cityscapes,
  title = {The Cityscapes Dataset for Semantic Urban Scene Understanding},
  author = {Cordts, Marius and Omran, Mohamed and Ramos, Sebastian and Rehfeld, Timo and Enzweiler, Markus and
    Benenson, Rodrigo and Franke, Uwe and Roth, Stefan and Schiele, Bernt},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016}
}"""


# TFDS has a data set of this name.
class Cityscapes(TreeBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Cityscapes from its two unpacked archives."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        homepage = "https://www.cityscapes-dataset.com/"
        return segmentation_info(self, "Street scenes of 50 cities, 19 classes.", homepage, "", _CITATION)

    def examples_of(self, tree: Path) -> dict[str, list[FileExample]]:
        """Return the examples of the two folders, in order of cities and names."""
        return examples_of(tree)

    def left_out(self) -> int:
        """Return the number of images of the official test split, whose masks are all void."""
        assert self._tree is not None
        return len(_images(self._tree, "test"))


def examples_of(tree: Path) -> dict[str, list[FileExample]]:
    """Return the examples of the two folders, in order of cities and names.

    Raises:
        InputError: a folder has no images, or an image has no mask.
    """
    return {split: _examples(tree, folder) for split, folder in SPLITS.items()}


def find_tree(path: Path) -> Path | None:
    """Return the user's path if it has the two folders."""
    return first_with([path], lambda folder: (folder / "leftImg8bit").is_dir() and (folder / "gtFine").is_dir())


def _images(tree: Path, split: str) -> list[Path]:
    return sorted((tree / "leftImg8bit" / split).glob(f"*/*{_IMAGE}"))


def _examples(tree: Path, split: str) -> list[FileExample]:
    images = _images(tree, split)
    if not images:
        raise InputError(f"{tree / 'leftImg8bit' / split} has no */*{_IMAGE}; unpack the archive there.")
    examples = []
    for image in images:
        mask = tree / "gtFine" / split / image.parent.name / image.name.replace(_IMAGE, _MASK)
        examples.append(checked_example(image, mask, f"{image.parent.name}/{image.name}"))
    return examples
