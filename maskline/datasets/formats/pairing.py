"""Which mask belongs to which image: they have one name, or names that differ by a customary ending."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.errors import InputError

# Cityscapes has _gtFine_labelIds and _leftImg8bit, CamVid _L, Cellpose _cp_masks, VIA and others _seg and -mask.
_OF_MASKS = re.compile(
    r"(?<=[^/])[_\-. ](?:(?i:(?:gt(?:fine|coarse)_)?label(?:train)?ids|(?:cp_)?masks?|labels?|labell?ed|seg|"
    r"segmentation|segmented|gt|ground_?truth|annotations?|annot|trimap|target)|L)$"
)
_OF_IMAGES = re.compile(r"(?<=[^/])[_\-. ](?i:leftImg8bit|image|img|raw|photo|sat)$")


class Unpaired(NamedTuple):
    """A file that is in no pair, and the sentence that says why: of images/ if `is_image`, else of masks/."""

    file: str
    is_image: bool
    sentence: str


def paired(images: Mapping[str, str], masks: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the name of each image's mask by the image's name; see `match`.

    Raises:
        InputError: a file has no pair, or several.
    """
    pairs, unpaired = match(images, masks, folder)
    if unpaired:
        lacking = sum(each.is_image for each in unpaired)
        first = unpaired[0]
        more = f" ({lacking - 1} more such images)" if first.is_image and lacking > 1 else ""
        raise InputError(first.sentence.replace(" has no mask;", f" has no mask{more};"))
    return pairs


def match(images: Mapping[str, str], masks: Mapping[str, str], folder: Path) -> tuple[dict[str, str], list[Unpaired]]:
    """Return the name of each image's mask by the image's name, and the files that are in no pair: masks, then images.

    An image and a mask of one name are a pair. A mask without such an image belongs to the one whose name is the mask's
    without its ending, such as `_mask`, where the image too may end as images do, such as `_image`.

    Args:
        images: file of each image relative to images/, by the name without suffix.
        masks: file of each mask relative to masks/, by the name without suffix.
        folder: that holds images/ and masks/.
    """
    pairs = {name: name for name in images if name in masks}
    unpaired: list[Unpaired] = []
    by_stem: dict[str, list[str]] = {}
    for name in images:
        for stem in {name, _OF_IMAGES.sub("", name)}:
            by_stem.setdefault(stem, []).append(name)
    for mask in (name for name in masks if name not in pairs):
        fitting = sorted({*by_stem.get(mask, ()), *by_stem.get(_OF_MASKS.sub("", mask), ())})
        if len(fitting) == 1 and fitting[0] not in pairs:
            pairs[fitting[0]] = mask
            continue
        place = folder / "masks" / masks[mask]
        candidates = [folder / "images" / images[name] for name in fitting]
        other = folder / "masks" / masks[pairs[fitting[0]]] if len(fitting) == 1 else None
        unpaired.append(Unpaired(masks[mask], False, _why(place, candidates, other, folder)))
    for name in (name for name in images if name not in pairs):
        unpaired.append(
            Unpaired(
                images[name],
                True,
                f"{folder / 'images' / images[name]} has no mask; add {folder / 'masks' / name}.png or "
                f"{Path(name).name}_mask.png, or move it elsewhere.",
            )
        )
    return {name: pairs[name] for name in images if name in pairs}, unpaired


def stems(name: str) -> set[str]:
    """Return a name without suffix, and what is left of it without the ending of a mask or of an image."""
    return {name, _OF_MASKS.sub("", name), _OF_IMAGES.sub("", name)}


def is_mask_name(name: str) -> bool:
    """Return whether a name without suffix ends as those of masks do."""
    return _OF_MASKS.search(name) is not None


def _why(mask: Path, images: Sequence[Path], other: Path | None, folder: Path) -> str:
    """Return why a mask is in no pair: it fits no image, several, or one that has another mask."""
    if not images:
        return f"{mask} has no image; add one in {folder / 'images'}, or move it elsewhere."
    if len(images) > 1:
        return f"{mask} may be the mask of {images[0]} or of {images[1]}; give it the name of its image."
    return f"{images[0]} has two masks, {other} and {mask}; move one of them elsewhere."
