"""IoU of a class by the share of the image that it covers."""

import numpy as np

from maskline.metrics.scores import ratio

SIZES = ("under 1 %", "1 to 10 %", "over 10 %")


def iou_by_size(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of images in which each class has each size, and its IoU over them.

    The size is the class's share of an image's valid pixels. An image whose ground truth lacks the class is left out,
    so that false positives there do not count.

    Args:
        matrices: int64 [N, C, C], one confusion matrix per image, rows ground truth.

    Returns:
        Images int64 [C, S], in the order of SIZES, and IoU float64 [C, S]; NaN if there are no images.
    """
    truth, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    chosen = _sizes(truth)[..., None] == np.arange(len(SIZES))  # [N, C, S]
    both = (hits[..., None] * chosen).sum(axis=0)
    either = ((truth + predicted - hits)[..., None] * chosen).sum(axis=0)
    return chosen.sum(axis=0), ratio(both, either)


def _sizes(truth: np.ndarray) -> np.ndarray:
    """Return each class's index into SIZES by image, int64 [N, C], of true pixels [N, C]; -1 if it is absent."""
    valid = truth.sum(axis=-1, keepdims=True)
    size = (100 * truth >= valid).astype(int) + (10 * truth > valid)
    return np.where(truth > 0, size, -1)
