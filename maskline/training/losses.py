"""Losses on logits [B, H, W, C] of any float type and integer labels [B, H, W]; void never counts, all-void is 0."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import tensorflow as tf

from maskline.models.interface import Loss
from maskline.params.train import LossOptions
from maskline.training.pixel_losses import boundary, cross_entropy, focal, ohem
from maskline.training.region_losses import dice, focal_tversky, iou, lovasz, tversky


def weighted_sum(weights: Mapping[str, float], losses: Mapping[str, Loss]) -> Loss:
    """Return the sum of the named losses times their weights; 0 leaves a loss out."""
    terms = [(weight, losses[name]) for name, weight in weights.items() if weight]

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.add_n([weight * term(labels, logits) for weight, term in terms])

    return loss


def named_losses(options: LossOptions, class_weights: np.ndarray | None) -> dict[str, Loss]:
    """Return every loss by its name in params.

    Args:
        options: settings of some of the losses.
        class_weights: float [C] for the losses that are means over pixels, or None for equal weights; the other
            losses weigh all classes equally.
    """
    o, w = options, class_weights
    tversky_weights = {"alpha": o.tversky_alpha, "beta": o.tversky_beta}
    return {
        "cross_entropy": partial(cross_entropy, class_weights=w, label_smoothing=o.label_smoothing),
        "focal": partial(focal, class_weights=w, gamma=o.focal_gamma),
        "dice": dice,
        "iou": iou,
        "tversky": partial(tversky, **tversky_weights),
        "focal_tversky": partial(focal_tversky, **tversky_weights, gamma=o.focal_tversky_gamma),
        "lovasz": lovasz,
        "ohem": partial(ohem, class_weights=w, threshold=o.ohem_threshold, share=o.ohem_share),
        "boundary": partial(boundary, class_weights=w, weight=o.boundary_weight, sigma=o.boundary_sigma),
    }


def class_weights(kind: str, pixels: np.ndarray, images: np.ndarray, image_size: int) -> np.ndarray | None:
    """Return float32 [C] weights with mean 1 over the train split's pixels, or None for 'none'.

    Args:
        kind: 'none'; 'inverse' of the class's share of pixels; or 'median_frequency', the median over classes of the
            share of pixels in images that show the class, over the class's own (Eigen and Fergus, ICCV 2015).
        pixels: int [C], of each class in train.
        images: int [C], train images that show each class.
        image_size: pixels in an image.
    """
    if kind == "none":
        return None
    if kind == "inverse":
        weights = 1.0 / pixels
    else:
        frequency = pixels / (images * image_size)
        weights = np.median(frequency) / frequency
    return (weights * pixels.sum() / (weights * pixels).sum()).astype(np.float32)
