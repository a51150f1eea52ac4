"""All augmentations of an image, as one operation."""

from functools import partial

import numpy as np

from maskline.contracts.fit import Size
from maskline.params.augment import AugmentParams
from maskline.shards.read.colors import blur, color_jitter
from maskline.shards.read.copy_paste import copy_paste
from maskline.shards.read.operation import Operation, first
from maskline.shards.read.rare import rare_classes
from maskline.shards.read.reader import ShardReader
from maskline.shards.read.views import Crop, affine, flip, flip_vertical, quarter_turn


def augmentation(params: AugmentParams, train: ShardReader) -> Operation:
    """Return an operation that applies all augmentations of the params in turn. Like them, it can be pickled.

    Args:
        train: the split, whose rare classes crops are placed on and are pasted into other images.
    """
    rare = rare_classes(train.pixels)
    crop = Crop(params.seen(train.size), params.crop_rare, rare) if params.crop else None
    whole = [
        *([copy_paste(params.copy_paste, train, rare, params.flip)] if params.copy_paste else []),
        *([flip] if params.flip else []),
        *([flip_vertical] if params.flip_vertical else []),
        *_view(params, crop),
    ]
    seen = [*([quarter_turn] if params.quarter_turns else []), *_colors(params)]
    return partial(_in_turn, whole, seen, params.seen(train.size))


def _view(params: AugmentParams, crop: Crop | None) -> list[Operation]:
    if params.scale or params.rotation or params.translation:
        return [affine(params.scale, params.rotation, params.translation, crop)]
    return [crop] if crop else []


def _colors(params: AugmentParams) -> list[Operation]:
    strengths = (params.brightness, params.contrast, params.saturation, params.hue)
    return [*([color_jitter(*strengths)] if any(strengths) else []), *([blur(params.blur)] if params.blur else [])]


def _in_turn(
    whole: list[Operation],
    seen: list[Operation],
    size: Size,
    image: np.ndarray,
    labels: np.ndarray,
    draws: np.ndarray,
) -> None:
    """Apply operations to the whole image, and others to what training sees of it, of `size`."""
    for operation in whole:
        operation(image, labels, draws)
    for operation in seen:
        operation(first(image, size), first(labels, size), draws)
