"""How much the pixels of each class weigh in the losses that are means over pixels."""

from typing import Literal

import numpy as np
import tensorflow as tf

from maskline.contracts.manifest import Manifest
from maskline.errors import InputError

ClassWeights = np.ndarray | Literal["per_image"] | None


def chosen_weights(choice: str | list[float], manifest: Manifest) -> ClassWeights:
    """Return float32 [C], 'per_image', or None for equal weights.

    Args:
        choice: the param, a kind of weights or a weight for each class in label order.
        manifest: of the shards to train on.

    Raises:
        InputError: the list does not have one weight for each class.
    """
    if choice == "per_image":
        return "per_image"
    if isinstance(choice, list):
        return _by_hand(choice, [c.name for c in manifest.classes])
    split = manifest.splits["train"]
    pixels, images = np.array(split.pixels), np.array(split.images_with_class)
    return class_weights(choice, pixels, images, manifest.height * manifest.width)


def _by_hand(weights: list[float], names: list[str]) -> np.ndarray:
    if len(weights) != len(names):
        raise InputError(
            f"train.class_weights must have one weight for each of the {len(names)} classes ({', '.join(names)}). "
            f"Received: {len(weights)} weights"
        )
    return np.array(weights, np.float32)


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


def per_image_weights(valid: tf.Tensor, safe: tf.Tensor, classes: int) -> tf.Tensor:
    """Return float32 [B, H, W] weights of pixels: the classes of an image weigh the same, with mean 1 over its pixels.

    Args:
        valid: float32 [B, H, W], 0 at void pixels, which weigh 0 and do not count.
        safe: int32 [B, H, W], labels without void.
        classes: number of classes C.
    """
    pixels = tf.reduce_sum(tf.one_hot(safe, classes) * valid[..., None], axis=[1, 2])
    present = tf.math.count_nonzero(pixels, axis=-1, keepdims=True, dtype=tf.float32)
    weights = tf.math.divide_no_nan(tf.reduce_sum(pixels, axis=-1, keepdims=True), present * pixels)
    return valid * tf.gather(weights, safe, batch_dims=1)
