"""Losses of logits [B, H, W, C], any float type, and integer labels [B, H, W]; void never counts, all void gives 0."""

from collections.abc import Mapping
from functools import partial

import tensorflow as tf

from maskline.models.interface import Loss
from maskline.params.train import LossOptions
from maskline.training.class_weights import ClassWeights
from maskline.training.pixel_losses import boundary, cross_entropy, focal, ohem
from maskline.training.region_losses import dice, focal_tversky, iou, lovasz, tversky


def weighted_sum(weights: Mapping[str, float], losses: Mapping[str, Loss]) -> Loss:
    """Return the weighted sum of the named losses, without those of weight 0."""
    terms = [(weight, losses[name]) for name, weight in weights.items() if weight]

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.add_n([weight * term(labels, logits) for weight, term in terms])

    return loss


def named_losses(options: LossOptions, class_weights: ClassWeights) -> dict[str, Loss]:
    """Return every loss by its name in params.

    Args:
        options: settings of the losses.
        class_weights: float [C] or 'per_image', for the losses that are means over pixels, or None for equal weights.
            The other losses weigh all classes equally.
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
