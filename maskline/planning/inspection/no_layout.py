"""The sentence on a folder that no source reads: what is there, and how to name it."""

import itertools
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from maskline.datasets.formats.pairing import is_mask_name, match, stems
from maskline.planning.wording import plural

_IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
_MASK_WORDS = ("mask", "label", "annot", "seg", "gt", "truth", "target")
_LOSSY = (".jpg", ".jpeg", ".webp")
_MOST_FOLDERS = 60  # whose files are compared
_SEARCHED = (
    "pairs in images/ and masks/, and the layouts of COCO, YOLO, LabelMe, CVAT, Label Studio, Cityscapes, ADE20K, "
    "CamVid, PASCAL VOC 2012, Oxford-IIIT Pet and prepared TFDS data sets"
)


def nothing_fits(folder: Path) -> str:
    """Return what was looked for, what was found, and what to do."""
    files = _files(folder)
    if not files:
        return f"{folder} holds no files; put your images in {folder / 'images'} and their masks in {folder / 'masks'}."
    return f"{folder} has no layout that can be read ({_SEARCHED}). It holds {_kinds(files)}. {_remedy(folder, files)}"


def _files(folder: Path) -> list[str]:
    """Return the visible files, relative to the folder."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        place = Path(parent).relative_to(folder)
        found += [(place / name).as_posix() for name in sorted(names) if not name.startswith(".")]
    return found


def _kinds(files: Sequence[str]) -> str:
    counts = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in files)
    parts = [f"{count:,} {suffix}" for suffix, count in counts.most_common(6)]
    others = len(counts) - len(parts)
    return f"{plural(len(files), 'file')} ({', '.join(parts)}{f' and {others} other kinds' if others else ''})"


def _remedy(folder: Path, files: Sequence[str]) -> str:
    images = [name for name in files if name.lower().endswith(_IMAGES)]
    if not images:
        return "None is an image; name the folder of your images and masks."
    if (pairs := _paired_folders(images)) is not None:
        return _how_to_link(folder, *pairs)
    if (beside := _side_by_side(images)) is not None:
        place, image, mask, count = beside
        return (
            f"{plural(count, 'mask')} lie next to their images in {place or 'it'}, such as {mask} next to {image}; "
            f"move the images to {folder / 'images'} and the masks to {folder / 'masks'}, and keep their names."
        )
    return (
        f"No two folders have files of one name, so no masks are known; put images in {folder / 'images'} and masks of "
        f"the same names in {folder / 'masks'}, or add the file that your label tool exported."
    )


def _by_folder(images: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the images of each folder: name by name without suffix."""
    folders: dict[str, dict[str, str]] = {}
    for path in images:
        place, _, name = path.rpartition("/")
        folders.setdefault(place, {})[str(PurePosixPath(name).with_suffix(""))] = name
    return folders


def _paired_folders(images: Sequence[str]) -> tuple[list[tuple[str, str]], int] | None:
    """Return the folders of images and their masks, most pairs first, and the number of pairs."""
    folders = _by_folder(images)
    places = sorted(folders, key=lambda place: -len(folders[place]))[:_MOST_FOLDERS]
    likeness = {place: _is_of_masks(place, folders) for place in places}
    of_place = {place: set().union(*map(stems, folders[place])) for place in places}
    found: list[tuple[int, str, str]] = []
    for first, second in itertools.permutations(places, 2):
        if likeness[second] > likeness[first] and not of_place[first].isdisjoint(of_place[second]):
            pairs, _ = match(folders[first], folders[second], Path())
            if 2 * len(pairs) > min(len(folders[first]), len(folders[second])):
                found.append((len(pairs), first, second))
    chosen: list[tuple[str, str]] = []
    total = 0
    for count, first, second in sorted(found, key=lambda each: (-each[0], _steps(each[1], each[2]), each[1:])):
        taken = {place for pair in chosen for place in pair}
        if not taken & {first, second}:
            chosen.append((first, second))
            total += count
    return (sorted(chosen), total) if chosen else None


def _steps(first: str, second: str) -> int:
    """Return how many parts of two paths differ, so that train/images goes with train/masks, not with val/masks."""
    return len(set(first.split("/")) ^ set(second.split("/")))


def _is_of_masks(place: str, folders: dict[str, dict[str, str]]) -> int:
    """Return how much a folder looks like one of masks: by a word of its path, then by its files."""
    named = any(word in place.lower() for word in _MASK_WORDS)
    lossy = sum(name.lower().endswith(_LOSSY) for name in folders[place].values())
    return 2 * named - (2 * lossy > len(folders[place]))


def _how_to_link(folder: Path, pairs: list[tuple[str, str]], count: int) -> str:
    images, masks = pairs[0]
    if len(pairs) == 1:
        links = f"{_link(folder / images, 'mine/images')} && {_link(folder / masks, 'mine/masks')}"
        how = (
            "rename the two to images/ and masks/ in one folder, or leave them and link to them from a new one: "
            f"mkdir mine && {links}"
        )
        return f"{plural(count, 'pair')} of one name are in {images or '.'}/ and {masks or '.'}/; {how}"
    links = " && ".join(
        f"{_link(folder / first, f'mine/images/{_name(first)}')} && "
        f"{_link(folder / second, f'mine/masks/{_name(first)}')}"
        for first, second in pairs[:3]
    )
    lists = f"(cd mine/images && ls {shlex.quote(_name(pairs[0][0]))}/* > ../train.txt)"
    return (
        f"{plural(count, 'pair')} of one name are in {len(pairs)} pairs of folders, such as {images}/ and {masks}/; "
        f"link to them from a new folder: mkdir -p mine/images mine/masks && {links}; and list the images of each "
        f"split, such as {lists}, also for val.txt and test.txt"
    )


def _link(target: Path, link: str) -> str:
    """Return the shell command that makes a link to a folder."""
    return f"ln -s {shlex.quote(str(target.absolute()))} {shlex.quote(link)}"


def _name(place: str) -> str:
    """Return a name for a folder's link: the part that says which split or place it is."""
    parts = [part for part in place.split("/") if part.lower() not in ("images", "image", "img", "imgs", "jpegimages")]
    return "_".join(parts) or "all"


def _side_by_side(images: Sequence[str]) -> tuple[str, str, str, int] | None:
    """Return a folder, an image and its mask in it, and the number of such pairs."""
    for place, files in _by_folder(images).items():
        masks = {stem: name for stem, name in files.items() if is_mask_name(stem)}
        pairs, _ = match({stem: name for stem, name in files.items() if stem not in masks}, masks, Path())
        if pairs and 2 * len(pairs) >= len(masks):
            first = min(pairs)
            return place, files[first], files[pairs[first]], len(pairs)
    return None
