"""IoU by how much of its image a class covers."""

import numpy as np

from maskline.metrics.scores import ratio

SIZES = ("under 1 %", "1 to 10 %", "over 10 %")


def iou_by_size(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return on how many images each class is of each size, and its IoU over them.

    The size is the class's share of an image's valid pixels. An image whose truth lacks the class is of no size, so
    that wrong predictions of the class there do not count.

    Args:
        matrices: int64 [N, C, C], one confusion matrix per image, rows truth.

    Returns:
        Images int64 [C, S], in the order of SIZES, and IoU float64 [C, S]; NaN where there is no image.
    """
    truth, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    chosen = _sizes(truth)[..., None] == np.arange(len(SIZES))  # [N, C, S]
    both = (hits[..., None] * chosen).sum(axis=0)
    either = ((truth + predicted - hits)[..., None] * chosen).sum(axis=0)
    return chosen.sum(axis=0), ratio(both, either)


def _sizes(truth: np.ndarray) -> np.ndarray:
    """Return each class's index into SIZES by image, int64 [N, C], of true pixels [N, C]; -1 where it is absent."""
    valid = truth.sum(axis=-1, keepdims=True)
    size = (100 * truth >= valid).astype(int) + (10 * truth > valid)
    return np.where(truth > 0, size, -1)
