"""IoU by how much of its image a class covers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from maskline.metrics.scores import ratio

SIZES = ("under 1 %", "1 to 10 %", "over 10 %")


def iou_by_size(matrices: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return each class's IoU over the images in which it is small, middling and large.

    The size is the class's share of an image's valid pixels. Images whose truth lacks the class are in no row, so that
    what is predicted there by mistake is not seen here.

    Args:
        matrices: int [N, C, C], one confusion matrix per image, rows truth.
        names: the C classes' names.

    Returns:
        One row per class and size: class, size (of SIZES), images, and iou (NaN where there is no image).
    """
    truth, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    sizes = _sizes(truth)
    rows = []
    for index, name in enumerate(names):
        for size, label in enumerate(SIZES):
            chosen = sizes[:, index] == size
            both = hits[chosen, index].sum()
            either = (truth + predicted - hits)[chosen, index].sum()
            rows.append(
                {"class": name, "size": label, "images": int(chosen.sum()), "iou": ratio(both, either).round(6)}
            )
    return pd.DataFrame(rows, columns=["class", "size", "images", "iou"])


def _sizes(truth: np.ndarray) -> np.ndarray:
    """Return each class's index into SIZES by image, int [N, C], of true pixels [N, C]; -1 where the truth lacks it."""
    valid = truth.sum(axis=-1, keepdims=True)
    size = (100 * truth >= valid).astype(int) + (10 * truth > valid)
    return np.where(truth > 0, size, -1)
