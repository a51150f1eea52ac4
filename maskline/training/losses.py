"""Losses of logits [B, H, W, C], any float type, and integer labels [B, H, W]; void never counts, all void gives 0."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import tensorflow as tf

from maskline.models.interface import Loss
from maskline.params.train import LossOptions
from maskline.training.pixel_losses import boundary, cross_entropy, focal, ohem
from maskline.training.region_losses import dice, focal_tversky, iou, lovasz, tversky


def weighted_sum(weights: Mapping[str, float], losses: Mapping[str, Loss]) -> Loss:
    """Return the weighted sum of the named losses, without those of weight 0."""
    terms = [(weight, losses[name]) for name, weight in weights.items() if weight]

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.add_n([weight * term(labels, logits) for weight, term in terms])

    return loss


def named_losses(options: LossOptions, class_weights: np.ndarray | None) -> dict[str, Loss]:
    """Return every loss by its name in params.

    Args:
        options: settings of the losses.
        class_weights: float [C] for the losses that are means over pixels, or None for equal weights. The other
            losses weigh all classes equally.
    """
    weighted = {"class_weights": class_weights}
    tversky_weights = {"alpha": options.tversky_alpha, "beta": options.tversky_beta}
    return {
        "cross_entropy": partial(cross_entropy, **weighted, label_smoothing=options.label_smoothing),
        "focal": partial(focal, **weighted, gamma=options.focal_gamma),
        "dice": dice,
        "iou": iou,
        "tversky": partial(tversky, **tversky_weights),
        "focal_tversky": partial(focal_tversky, **tversky_weights, gamma=options.focal_tversky_gamma),
        "lovasz": lovasz,
        "ohem": partial(ohem, **weighted, threshold=options.ohem_threshold, share=options.ohem_share),
        "boundary": partial(boundary, **weighted, weight=options.boundary_weight, sigma=options.boundary_sigma),
    }


def class_weights(kind: str, pixels: np.ndarray, images: np.ndarray, image_size: int) -> np.ndarray | None:
    """Return float32 [C] weights with mean 1 over the train split's pixels, or None for 'none'.

    A class without a pixel in train weighs 0: its share has no inverse, and only validation can show it.

    Args:
        kind: 'none'; 'inverse' of the class's share of pixels; or 'median_frequency', the median of all frequencies
            over the class's own, where the frequency of a class is its share of the pixels in images that show it
            (Eigen and Fergus, ICCV 2015).
        pixels: int [C], pixels of each class in train.
        images: int [C], number of train images that show each class.
        image_size: number of pixels in an image.
    """
    if kind == "none":
        return None
    seen = pixels > 0
    weights = np.zeros(len(pixels))
    if kind == "inverse":
        weights[seen] = 1.0 / pixels[seen]
    else:
        frequency = pixels[seen] / (images[seen] * image_size)
        weights[seen] = np.median(frequency) / frequency
    return (weights * pixels.sum() / (weights * pixels).sum()).astype(np.float32)
