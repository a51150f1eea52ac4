"""Rare classes: which they are, where an image shows one, and which images do."""

from collections.abc import Sequence

import cv2
import numpy as np

from maskline.shards.read.draws import Draw, picked
from maskline.shards.read.reader import ShardReader

Pixel = tuple[int, int]  # row and column


def rare_classes(pixels: Sequence[int]) -> list[int]:
    """Return the labels of the half of the classes that have the fewest pixels, at least one.

    Args:
        pixels: of each class; a class without any does not count.
    """
    shown = [label for label, count in enumerate(pixels) if count]
    return sorted(shown, key=lambda label: pixels[label])[: max(1, len(shown) // 2)]


def shown_classes(labels: np.ndarray, classes: Sequence[int]) -> list[int]:
    """Return those of the classes that labels uint8 [H, W] show."""
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    return [label for label in classes if counts[label]]


def rare_pixel(labels: np.ndarray, rare: Sequence[int], draws: np.ndarray) -> Pixel | None:
    """Draw one of the rare classes that labels uint8 [H, W] show, then one of its pixels; None: they show none."""
    shown = shown_classes(labels, rare)
    if not shown:
        return None
    label = shown[picked(len(shown), draws[Draw.RARE_CLASS])]
    places = np.flatnonzero(labels == label)
    row, column = divmod(int(places[picked(len(places), draws[Draw.RARE_PIXEL])]), labels.shape[1])
    return row, column


def images_with(reader: ShardReader, classes: Sequence[int]) -> dict[int, list[int]]:
    """Read all labels once, and return the positions of the images that show each of the classes."""
    found: dict[int, list[int]] = {label: [] for label in classes}
    for index in range(len(reader)):
        for label in shown_classes(reader.read([index])[1][0], classes):
            found[label].append(index)
    return found
