"""ADE20K as scene parsing has it: 20,210 scenes, 150 classes; the 2,000 validation images are the test split."""

from pathlib import Path

import tensorflow_datasets as tfds

from maskline.datasets.features import segmentation_info
from maskline.datasets.formats.classes import index_table, palette_color
from maskline.datasets.formats.pairs import checked_example, first_with
from maskline.datasets.formats.reading import visible_files
from maskline.datasets.sources.tree import FileExample, TreeBuilder
from maskline.errors import InputError

LAYOUT = "ADEChallengeData2016/ with images/ and annotations/, and training/ and validation/ in both"
SPLITS = {"train": "training", "test": "validation"}  # the labels of the official test set are not public
CLASSES = (
    *("wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet"),
    *("sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water"),
    *("painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk"),
    *("rock", "wardrobe", "lamp", "bathtub", "railing", "cushion", "base", "box", "column", "signboard"),
    *("chest of drawers", "counter", "sand", "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path"),
    *("stairs", "runway", "case", "pool table", "pillow", "screen door", "stairway", "river", "bridge", "bookcase"),
    *("blind", "coffee table", "toilet", "flower", "book", "hill", "bench", "countertop", "stove", "palm"),
    *("kitchen island", "computer", "swivel chair", "boat", "bar", "arcade machine", "hovel", "bus", "towel", "light"),
    *("truck", "tower", "chandelier", "awning", "streetlight", "booth", "television receiver", "airplane"),
    *("dirt track", "apparel", "pole", "land", "bannister", "escalator", "ottoman", "bottle", "buffet", "poster"),
    *("stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer", "plaything", "swimming pool", "stool"),
    *("barrel", "basket", "waterfall", "tent", "bag", "minibike", "cradle", "oven", "ball", "food", "step", "tank"),
    *("trade name", "microwave", "pot", "animal", "bicycle", "lake", "dishwasher", "screen", "blanket", "sculpture"),
    *("hood", "sconce", "vase", "traffic light", "tray", "ashcan", "fan", "pier", "crt screen", "plate", "monitor"),
    *("bulletin board", "shower", "radiator", "glass", "clock", "flag"),
)
TABLE = index_table({name: palette_color(i + 1) for i, name in enumerate(CLASSES)}, first=1, void=(0,))
_CITATION = """@inproceedings{zhou2017scene,
  title = {Scene Parsing through {ADE20K} Dataset},
  author = {Zhou, Bolei and Zhao, Hang and Puig, Xavier and Fidler, Sanja and Barriuso, Adela and Torralba, Antonio},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2017}
}"""


class Ade20k(TreeBuilder):
    """ADE20K from its folders of images and masks, whose values are 1 to 150, and 0 for void."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        homepage = "https://sceneparsing.csail.mit.edu/"
        return segmentation_info(self, "Scenes, 150 classes.", homepage, "", _CITATION)

    def examples_of(self, tree: Path) -> dict[str, list[FileExample]]:
        """Return the examples of the two folders, in order of their names."""
        return examples_of(tree)


def examples_of(tree: Path) -> dict[str, list[FileExample]]:
    """Return the examples of the two folders, in order of their names.

    Raises:
        InputError: a folder has no images, or an image has no mask.
    """
    return {split: _examples(tree, folder) for split, folder in SPLITS.items()}


def find_tree(path: Path) -> Path | None:
    """Return the folder of images/ and annotations/, which is a user's path or in it."""
    candidates = [path, path / "ADEChallengeData2016"]
    return first_with(candidates, lambda folder: (folder / "images" / SPLITS["train"]).is_dir())


def _examples(tree: Path, split: str) -> list[FileExample]:
    images = list(visible_files(tree / "images" / split, [".jpg", ".png"]))
    if not images:
        raise InputError(f"{tree / 'images' / split} has no images; unpack the archive there.")
    masks = tree / "annotations" / split
    return [checked_example(image, masks / f"{image.stem}.png", image.name) for image in images]
