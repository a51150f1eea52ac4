"""Copy-paste (Ghiasi et al., CVPR 2021) of rare classes: their pixels in one image are pasted into another."""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np

from maskline.shards.read.draws import Draw, picked
from maskline.shards.read.operation import Operation
from maskline.shards.read.rare import images_with
from maskline.shards.read.reader import ShardReader
from maskline.shards.read.views import mirror


def copy_paste(share: float, reader: ShardReader, rare: Sequence[int], mirrors: bool) -> Operation:
    """Paste, into a share of the images, all pixels of a rare class from another image, in their places.

    The class is drawn first, then one of the images that show it.

    Args:
        share: of the images that get such pixels.
        reader: the split whose images give pixels.
        rare: labels of the classes.
        mirrors: whether pixels come from the mirrored image half of the time.
    """
    shown = [(label, positions) for label, positions in images_with(reader, rare).items() if positions]
    return partial(_copy_paste, share if shown else 0.0, reader, shown, mirrors)


def _copy_paste(
    share: float,
    reader: ShardReader,
    sources: list[tuple[int, list[int]]],
    mirrors: bool,
    image: np.ndarray,
    labels: np.ndarray,
    draws: np.ndarray,
) -> None:
    if draws[Draw.PASTE] >= share:
        return
    label, positions = sources[picked(len(sources), draws[Draw.PASTE_CLASS])]
    images, masks = reader.read([positions[picked(len(positions), draws[Draw.PASTE_IMAGE])]])
    if mirrors:
        mirror(images[0], masks[0], draws[Draw.PASTE_FLIP])
    pasted = cv2.inRange(masks[0], label, label)
    cv2.copyTo(images[0], pasted, image)
    cv2.copyTo(masks[0], pasted, labels)
