"""The examples that a source's files hold, listed as download lists them, and what download would refuse."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from maskline.contracts.annotations import BACKGROUND
from maskline.contracts.classes import VOID
from maskline.datasets.catalogue import SOURCES
from maskline.datasets.formats import coco, cvat, label_studio, labelme, yolo
from maskline.datasets.formats.annotations import AnnotatedImage, class_order, draw_on, labels_by_name
from maskline.datasets.formats.as_png import image_bytes, mask_bytes
from maskline.datasets.formats.pairing import Unpaired, match
from maskline.datasets.formats.pairs import JPEG, checked_example, read_list
from maskline.datasets.formats.reading import IMAGE_SUFFIXES, visible_files
from maskline.datasets.formats.split_lists import LISTS
from maskline.datasets.sources import ade20k, camvid, cityscapes, folder, voc2012
from maskline.errors import InputError
from maskline.planning.inspection.examples import Example, Listing
from maskline.planning.inspection.layouts import Layout
from maskline.planning.wording import plural, some


def _pets(tree: Path) -> dict[str, list[dict[str, str]]]:
    lists = {"train": "trainval.txt", "test": "test.txt"}
    splits = {}
    for split, listing in lists.items():
        names = [line.split()[0] for line in read_list(tree / "annotations" / listing)]
        splits[split] = [
            checked_example(tree / f"images/{name}.jpg", tree / f"annotations/trimaps/{name}.png", f"{name}.jpg")
            for name in names
        ]
    return splits


_TREES = {
    "camvid": camvid.examples_of,
    "voc2012": voc2012.examples_of,
    "cityscapes": cityscapes.examples_of,
    "ade20k": ade20k.examples_of,
    "oxford_iiit_pet": _pets,
}
_FORMATS = {"coco": coco, "yolo": yolo, "labelme": labelme, "cvat": cvat, "label_studio": label_studio}
_KEPT = (".json", ".xml", ".txt", ".yaml", ".yml", ".csv")  # of annotations and lists


def list_examples(layout: Layout) -> Listing:
    """Return the examples of a folder.

    Raises:
        InputError: the source cannot list them.
    """
    if layout.source == "folder":
        return _own_pairs(layout.tree)
    if layout.source in _FORMATS:
        return _annotated(layout.source, layout.tree)
    splits = _TREES[layout.source](layout.tree)
    table = SOURCES[layout.source].table
    return Listing({split: [_of_files(**files) for files in found] for split, found in splits.items()}, table)


def _of_files(image: str, segmentation_mask: str, file_name: str) -> Example:
    return _of_paths(Path(image), Path(segmentation_mask), file_name)


def _of_paths(image: Path, mask: Path, name: str) -> Example:
    return Example(name, partial(image_bytes, image), partial(_mask_file, mask), (image, mask))


def _mask_file(path: Path) -> bytes:
    """Return what download stores of a mask; a JPEG, which download refuses, is returned as it is, to be looked at."""
    with open(path, "rb") as file:
        is_jpeg = file.read(len(JPEG)) == JPEG
    return path.read_bytes() if is_jpeg else mask_bytes(path)


# A user's own pairs.


def _own_pairs(tree: Path) -> Listing:
    images, masks = folder.list_files(tree / "images"), folder.list_files(tree / "masks")
    if not images:
        raise InputError(f"{tree / 'images'} has no images; put JPEG, PNG or TIFF files there.")
    pairs, unpaired = match(images, masks, tree)
    if not pairs:
        raise InputError(
            f"{tree} has {plural(len(images), 'image')} in images/ and {plural(len(masks), 'file')} in masks/, but no "
            f"two of one name, such as {_example_name(images)} and {_example_name(masks)}; give each mask its image's "
            f"name, or that name and an ending such as _mask."
        )
    by_name = {name: (images[name], masks[pairs[name]] if name in pairs else "") for name in images}
    listed = folder.listed_splits(tree, by_name)
    names = listed or {"train": sorted(images)}
    splits: dict[str, list[Example]] = {}
    refused: list[str] = []
    of_images, of_masks = tree / "images", tree / "masks"
    for split, of_split in names.items():
        splits[split] = []
        for name in (name for name in of_split if name in pairs):
            image, mask = of_images / by_name[name][0], of_masks / by_name[name][1]
            try:
                checked_example(image, mask, by_name[name][0])
            except InputError as error:
                refused.append(str(error))
            if image.is_file() and mask.is_file():  # not a broken link, nor a pipe that nobody writes to
                splits[split].append(_of_paths(image, mask, by_name[name][0]))
    left_out = len(pairs) - sum(name in pairs for of_split in names.values() for name in of_split)
    lists = tuple(tree / name for each in LISTS.values() for name in each if (tree / name).is_file())
    warnings = [*_of_unpaired(unpaired), *_of_refused(refused)]
    notes = [plural(len(pairs), "pair"), *_endings(pairs)]
    if listed:
        notes.append(f"splits from {some([path.name for path in lists])}")
    return Listing(splits, left_out=left_out, other_files=lists, notes=tuple(notes), warnings=tuple(warnings))


def _example_name(files: Mapping[str, str]) -> str:
    return files[min(files)] if files else "nothing"


def _endings(pairs: Mapping[str, str]) -> list[str]:
    """Return how the names of masks differ from those of their images, most frequent first."""
    endings = Counter(
        mask.removeprefix(image) for image, mask in pairs.items() if mask.startswith(image) and mask != image
    )
    return [f"{plural(count, 'mask')} with the ending {ending}" for ending, count in endings.most_common(3)]


def _of_unpaired(unpaired: list[Unpaired]) -> list[str]:
    warnings = []
    for is_image, kind, lacking in ((True, "image", "mask"), (False, "mask", "image")):
        files = sorted(each.file for each in unpaired if each.is_image == is_image)
        if files:
            verb = "has" if len(files) == 1 else "have"
            warnings.append(
                f"{plural(len(files), kind)} {verb} no {lacking} ({some(files)}); add what is missing, or move the "
                "rest elsewhere, because download refuses files without a pair"
            )
    return warnings


def _of_refused(refused: list[str]) -> list[str]:
    if not refused:
        return []
    return [f"download refuses {plural(len(refused), 'pair')}; the first: {refused[0].rstrip('.')}"]


# Annotations.


def _annotated(source: str, tree: Path) -> Listing:
    data = _FORMATS[source].read(tree)
    names = class_order(data, None)
    labels = labels_by_name(data.names, names)
    rest = labels.get(BACKGROUND, VOID)
    splits = {split: [_drawn(image, labels, rest) for image in images] for split, images in data.splits.items()}
    used = {image.path for images in data.splits.values() for image in images}
    left_out = sum(path not in used for path in visible_files(data.folder, IMAGE_SUFFIXES))
    regions = sum(len(image.regions) for images in data.splits.values() for image in images)
    without = sum(not image.regions for images in data.splits.values() for image in images)
    notes = [f"{plural(regions, 'annotation')} of {plural(len(used), 'image')}"]
    warnings = []
    if left_out:
        notes.append(f"{plural(left_out, 'image')} without an entry, which download leaves out")
    if without:
        warnings.append(
            f"{plural(without, 'image')} {'has' if without == 1 else 'have'} an entry without annotations, and "
            f"{'counts' if without == 1 else 'count'} as background; delete those that nobody has annotated"
        )
    others = tuple(visible_files(tree, _KEPT))
    return Listing(splits, None, names, left_out, others, tuple(notes), tuple(warnings))


def _drawn(image: AnnotatedImage, labels: dict[str, int], rest: int) -> Example:
    return Example(
        image.name, partial(image_bytes, image.path), partial(draw_on, image, labels, rest, "last"), (image.path,)
    )
