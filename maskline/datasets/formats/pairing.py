"""Which mask belongs to which image: they have one name, or names that differ by a customary ending."""

import re
from collections.abc import Mapping
from pathlib import Path

from maskline.errors import InputError

# Cityscapes has _gtFine_labelIds and _leftImg8bit, CamVid _L, Cellpose _cp_masks, VIA and others _seg and -mask.
_OF_MASKS = re.compile(
    r"(?<=[^/])[_\-. ](?:(?i:(?:gt(?:fine|coarse)_)?label(?:train)?ids|(?:cp_)?masks?|labels?|labell?ed|seg|"
    r"segmentation|segmented|gt|ground_?truth|annotations?|annot|trimap|target)|L)$"
)
_OF_IMAGES = re.compile(r"(?<=[^/])[_\-. ](?i:leftImg8bit|image|img|raw|photo|sat)$")


def paired(images: Mapping[str, str], masks: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the name of each image's mask by the image's name.

    An image and a mask of one name are a pair. A mask without such an image belongs to the one whose name is the mask's
    without its ending, such as `_mask`, where the image too may end as images do, such as `_image`.

    Args:
        images: file of each image relative to images/, by the name without suffix.
        masks: file of each mask relative to masks/, by the name without suffix.
        folder: that holds images/ and masks/.

    Raises:
        InputError: a file has no pair, or several.
    """
    pairs = {name: name for name in images if name in masks}
    by_stem: dict[str, list[str]] = {}
    for name in images:
        for stem in {name, _OF_IMAGES.sub("", name)}:
            by_stem.setdefault(stem, []).append(name)
    for mask in (name for name in masks if name not in pairs):
        fitting = sorted({*by_stem.get(mask, ()), *by_stem.get(_OF_MASKS.sub("", mask), ())})
        place = folder / "masks" / masks[mask]
        if not fitting:
            raise InputError(f"{place} has no image; add one in {folder / 'images'}, or move it elsewhere.")
        if len(fitting) > 1:
            first, second = (folder / "images" / images[name] for name in fitting[:2])
            raise InputError(f"{place} may be the mask of {first} or of {second}; give it the name of its image.")
        if fitting[0] in pairs:
            image, other = folder / "images" / images[fitting[0]], folder / "masks" / masks[pairs[fitting[0]]]
            raise InputError(f"{image} has two masks, {other} and {place}; move one of them elsewhere.")
        pairs[fitting[0]] = mask
    for name in images:
        if name not in pairs:
            lacking = len(images) - len(pairs)
            more = f" ({lacking - 1} more such images)" if lacking > 1 else ""
            raise InputError(
                f"{folder / 'images' / images[name]} has no mask{more}; add {folder / 'masks' / name}.png or "
                f"{Path(name).name}_mask.png, or move it elsewhere."
            )
    return {name: pairs[name] for name in images}
