"""Where a data set is, by the folder or the name that a user gives, and which source reads it."""

from pathlib import Path
from typing import NamedTuple

from maskline.datasets.catalogue import SOURCES
from maskline.datasets.prepare import tfds_dirs
from maskline.datasets.prepared import find_prepared
from maskline.errors import InputError
from maskline.planning.choice import Choice
from maskline.planning.inspection.examples import Listing
from maskline.planning.inspection.layouts import find_layout, find_prepared_copy
from maskline.planning.inspection.listing import list_examples
from maskline.planning.inspection.no_layout import nothing_fits
from maskline.planning.inspection.prepared import Features, find_features, list_prepared, list_shapes
from maskline.planning.wording import joined

_PARTS = ("images", "masks", "annotations", "labels", "jpegimages", "segmentationclass")


class Place(NamedTuple):
    """Where a data set is, and what is there.

    Attributes:
        path: its folder; None where it needs none.
        choices: the params that name its source.
        listing: its examples.
        layout: what was recognized, for the user.
        names_in: folders where a file may name the classes.
    """

    path: Path | None
    choices: list[Choice]
    listing: Listing
    layout: str
    names_in: tuple[Path, ...] = ()


def find_place(path: str) -> Place:
    """Return where a data set is.

    Args:
        path: a folder, or the name of a source that needs none, such as 'shapes', or that TFDS has prepared.

    Raises:
        InputError: nothing is there, or no source reads it.
        OSError: the system does not let it read a folder.
    """
    return _of_folder(Path(path)) if Path(path).is_dir() else _of_name(path)


def _of_folder(folder: Path) -> Place:
    if (copy := find_prepared_copy(folder)) is not None:
        name, found = copy
        choices = _source(name, str(folder), f"{found} is a prepared copy of it")
        features = Features() if name in SOURCES else find_features(found)
        if name not in SOURCES:
            evidence = f"the image features of {name}"
            choices.append(Choice("dataset.image_feature", features.image, evidence))
            choices.append(Choice("dataset.mask_feature", features.mask, evidence))
        return Place(folder, choices, list_prepared(name, found, features), f"a prepared TFDS data set, {name}")
    layout = find_layout(folder)
    if layout is None:
        if folder.name.lower() in _PARTS and find_layout(folder.absolute().parent) is not None:
            raise InputError(f"{folder} is a part of a data set; name the folder that it is in.")
        raise InputError(nothing_fits(folder))
    choices = _source(layout.source, str(layout.path), layout.evidence)
    text = f"{layout.source}, because {layout.evidence}"
    if layout.path != folder:
        text += f"; found in the only such folder inside, {layout.path.name}/"
    if layout.others:
        text += f"; {joined(layout.others)} would fit too, but {'come' if len(layout.others) > 1 else 'comes'} later"
    names_in = (layout.tree, layout.tree / "masks") if layout.source == "folder" else ()
    return Place(folder, choices, list_examples(layout), text, names_in)


def _of_name(name: str) -> Place:
    if name == "shapes":
        choices = _source(name, "none", "the project draws it")
        return Place(None, choices, list_shapes(), "shapes, which the project draws")
    entry = SOURCES.get(name)
    if entry is None:
        if Path(name).exists():
            raise InputError(f"{name} is a file; name the folder of your images and masks or annotations.")
        known = joined([source for source, each in SOURCES.items() if each.published or source == "shapes"], "or")
        raise InputError(f"{name!r} is neither a folder nor a data set with a name ({known}); correct it.")
    for place in tfds_dirs() if entry.published else []:
        if (found := find_prepared(place, name, entry.version)) is not None:
            choices = _source(name, "none", f"{found} is a prepared copy of it, which download finds")
            return Place(
                None, choices, list_prepared(name, found, Features()), f"a prepared TFDS data set, {name}, in {found}"
            )
    raise InputError(
        f"{name} is not on this machine: give the folder that holds {entry.layout}"
        f"{', or set TFDS_DATA_DIR to the folder of a prepared copy' if entry.published else ''}."
    )


def _source(name: str, path: str, evidence: str) -> list[Choice]:
    reason = "nothing on disk is needed" if path == "none" else "the folder that you named"
    return [Choice("dataset.name", name, evidence), Choice("dataset.path", path, reason)]
