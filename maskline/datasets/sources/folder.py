"""A user's own pairs: images/ and masks/ with matching relative names, and optional split lists."""

import os
from pathlib import Path

import tensorflow_datasets as tfds

from maskline.datasets.features import segmentation_info
from maskline.datasets.formats.pairing import paired
from maskline.datasets.formats.pairs import checked_example, first_with
from maskline.datasets.formats.split_lists import listed, stem
from maskline.datasets.sources.tree import FileExample, TreeBuilder
from maskline.errors import InputError

LAYOUT = "images/ and masks/, and train.txt, val.txt and test.txt if you have them"


class Folder(TreeBuilder):
    """A folder of images and masks. Without lists, all images are train, and a test split is held out of them later."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return segmentation_info(self, "Images and masks of a folder.", "", "", "")

    def left_out(self) -> int:
        """Return the number of images that no list names."""
        assert self._tree is not None
        return len(_pairs(self._tree)) - self.info.splits.total_num_examples

    def examples_of(self, tree: Path) -> dict[str, list[FileExample]]:
        """Return the checked examples by split, in the order of the lists, or of the names if there are no lists.

        Raises:
            InputError: a file has no pair or the wrong format, two files share a name, a list is wrong, or links show a
                folder twice.
        """
        pairs = _pairs(tree)
        splits = listed_splits(tree, pairs) or {"train": sorted(pairs)}
        return {split: [_example(tree, *pairs[name]) for name in names] for split, names in splits.items()}


def listed_splits(tree: Path, pairs: dict[str, tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names of each split that has a list; none without lists.

    Raises:
        InputError: a list is damaged, names no image or one of another list, or there is none of train.
    """
    return listed(tree, {name: name for name in pairs}, "is not in images/; add the image")


def find_tree(path: Path) -> Path | None:
    """Return the user's path if it has the two folders."""
    return first_with([path], lambda folder: (folder / "images").is_dir() and (folder / "masks").is_dir())


def _example(tree: Path, image: str, mask: str) -> FileExample:
    return checked_example(tree / "images" / image, tree / "masks" / mask, image)


def _pairs(tree: Path) -> dict[str, tuple[str, str]]:
    """Return the paths of image and mask, relative to their folders, by the image's name without suffix."""
    images, masks = list_files(tree / "images"), list_files(tree / "masks")
    if not images:
        raise InputError(f"{tree / 'images'} has no images; put JPEG, PNG or TIFF files there.")
    return {name: (images[name], masks[mask]) for name, mask in paired(images, masks, tree).items()}


def list_files(folder: Path) -> dict[str, str]:
    """Return the visible files at any depth: their POSIX path relative to the folder, by that path without suffix.

    Links to folders are followed, each folder once: a second way to it is a loop, or shows its files twice.

    Raises:
        InputError: two files share a name, a name cannot be in a list, or a folder is shown twice.
    """
    files: dict[str, str] = {}
    entered: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in names if not name.startswith("."))
        _enter(Path(parent), entered)
        for name in (*folders, *names):
            _check_name(Path(parent), name)
        for name in names:
            path = (Path(parent) / name).relative_to(folder).as_posix()
            key = stem(path)
            if key in files:
                raise InputError(f"{folder} holds both {files[key]} and {path}; remove or rename one of the two.")
            files[key] = path
    return files


def _enter(parent: Path, entered: dict[str, Path]) -> None:
    """Note a folder, and raise InputError if it was entered by another path."""
    place = os.path.realpath(parent)
    if place in entered:
        raise InputError(f"{parent} is, by a link, the folder {entered[place]} again; remove the link.")
    entered[place] = parent


def _check_name(folder: Path, name: str) -> None:
    """Raise InputError if a name is not UTF-8, or has a line break, so that no list can hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{folder} holds {os.fsencode(name)!r}, whose name is not UTF-8; rename it.") from None
    if "\n" in name or "\r" in name:
        raise InputError(f"{folder} holds {name!r}, whose name has a line break; rename it.")


def _raise(error: OSError) -> None:
    raise error
