"""Split lists of a user's own data: train.txt, val.txt and test.txt, each with a name a line."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from maskline.datasets.formats.annotations import AnnotatedImage
from maskline.datasets.formats.pairs import read_list
from maskline.errors import InputError

LISTS = {"train": ("train.txt",), "validation": ("validation.txt", "val.txt"), "test": ("test.txt",)}


def listed(tree: Path, names: Mapping[str, str], missing: str) -> dict[str, list[str]]:
    """Return the names of each split that has a list, in the order of its lines.

    Args:
        tree: folder of the lists.
        names: each name by the forms that a line may have; a line's suffix is taken off where that makes it one.
        missing: what a line is that names nothing, and the remedy, such as 'is not in images/; add the image'.

    Raises:
        InputError: a list is wrong, names what is missing or what another line names, or there is none of train.
    """
    splits: dict[str, list[str]] = {}
    owner: dict[str, Path] = {}
    for split, listings in LISTS.items():
        for listing in (tree / name for name in listings if os.path.lexists(tree / name)):
            for line in read_list(listing):
                name = names.get(line, names.get(stem(line)))
                if name is None:
                    raise InputError(f"{listing} lists {line!r}, which {missing}, or remove the line.")
                if name in owner:
                    raise InputError(
                        f"{listing} lists {line!r}, which {owner[name].name} lists too; remove it from one of the two."
                    )
                owner[name] = listing
                splits.setdefault(split, []).append(name)
    if splits and "train" not in splits:
        raise InputError(f"{tree} has {next(iter(owner.values())).name} but no train.txt; add it.")
    return splits


def split_images(tree: Path, images: Sequence[AnnotatedImage]) -> dict[str, list[AnnotatedImage]]:
    """Return annotated images by the lists in the folder `tree`; without lists, all are train.

    A line is the path of an image in `tree` or in its images/, with or without suffix.

    Raises:
        InputError: a list is wrong, or a line is not the name of one image.
    """
    by_name = {image.name: image for image in images}
    short = [(form, name) for name in by_name for form in {stem(name), stem(name.removeprefix("images/"))}]
    times = Counter(form for form, _ in short)
    forms = {form: name for form, name in short if times[form] == 1}
    forms |= {name: name for name in by_name}
    found = listed(tree, forms, "is not the name of one annotated image; annotate the image or write its whole name")
    return {split: [by_name[name] for name in names] for split, names in found.items()} or {"train": [*images]}


def stem(path: str) -> str:
    """Return a path without its suffix, or as it is where it ends in no name."""
    return str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).name else path
