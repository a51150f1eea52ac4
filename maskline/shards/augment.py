"""Stateless augmentation: pure functions of images, labels and uniform draws, alike eagerly and inside tf.data.

An operation takes images float32 [B, H, W, 3] in 0..255, labels uint8 [B, H, W] and draws float32 [B, DRAWS] in [0, 1),
one row an image, and returns images and labels. Where a moved image leaves its frame, its labels are void.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from maskline.classes import VOID
from maskline.params import AugmentParams

Operation = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

DRAWS = 8
_FLIP, _SCALE, _ROTATION, _SHIFT_X, _SHIFT_Y, _BRIGHTNESS, _CONTRAST, _SATURATION = range(DRAWS)
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma


def augmentation(params: AugmentParams) -> Operation:
    """Return the operation that does all that params ask for, on uint8 images, which stay uint8."""
    operations = [
        *([flip] if params.flip else []),
        *([affine(params.scale, params.rotation)] if params.scale or params.rotation else []),
        *([brightness(params.brightness)] if params.brightness else []),
        *([contrast(params.contrast)] if params.contrast else []),
        *([saturation(params.saturation)] if params.saturation else []),
    ]

    def apply(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if operations == [flip]:
            return flip(images, labels, draws)
        images = tf.cast(images, tf.float32)
        for operation in operations:
            images, labels = operation(images, labels, draws)
        return tf.cast(tf.clip_by_value(tf.round(images), 0.0, 255.0), tf.uint8), labels

    return apply


def flip(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mirror one image in two, left to right."""
    mirrored = draws[:, _FLIP] < 0.5
    return (
        tf.where(mirrored[:, None, None, None], tf.reverse(images, [2]), images),
        tf.where(mirrored[:, None, None], tf.reverse(labels, [2]), labels),
    )


def affine(scale: float, rotation: float) -> Operation:
    """Zoom by 1 - scale to 1 + scale about a random place and turn by up to `rotation` degrees, in one resampling."""

    def apply(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        transforms = _transforms(tf.shape(labels)[1], tf.shape(labels)[2], scale, rotation, draws)
        moved = _project(labels[..., None], transforms, "NEAREST", float(VOID))[..., 0]
        return _project(images, transforms, "BILINEAR", 0.0), moved

    return apply


def _transforms(height: tf.Tensor, width: tf.Tensor, scale: float, rotation: float, draws: tf.Tensor) -> tf.Tensor:
    """Return the maps from output to input pixels, float32 [B, 8], as ImageProjectiveTransform takes them."""
    zoom = 1.0 / (1.0 + scale * _signed(draws[:, _SCALE]))
    angle = math.radians(rotation) * _signed(draws[:, _ROTATION])
    cos, sin = zoom * tf.cos(angle), zoom * tf.sin(angle)
    middle_x, middle_y = (tf.cast(width, tf.float32) - 1) / 2, (tf.cast(height, tf.float32) - 1) / 2
    room = tf.abs(1.0 - zoom)  # the whole image, or the whole output, stays in view
    shift_x = middle_x * (1.0 + room * _signed(draws[:, _SHIFT_X])) - cos * middle_x + sin * middle_y
    shift_y = middle_y * (1.0 + room * _signed(draws[:, _SHIFT_Y])) - sin * middle_x - cos * middle_y
    zero = tf.zeros_like(cos)
    return tf.stack([cos, -sin, shift_x, sin, cos, shift_y, zero, zero], axis=1)


def _project(images: tf.Tensor, transforms: tf.Tensor, interpolation: str, fill: float) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=fill,
        interpolation=interpolation,
        fill_mode="CONSTANT",
    )


def brightness(strength: float) -> Operation:
    """Add up to `strength` of full scale, to either side."""

    def apply(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return images + 255.0 * strength * _per_image(draws[:, _BRIGHTNESS]), labels

    return apply


def contrast(strength: float) -> Operation:
    """Multiply each pixel's distance from its image's mean by 1 - strength to 1 + strength."""

    def apply(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
        return mean + (images - mean) * (1.0 + strength * _per_image(draws[:, _CONTRAST])), labels

    return apply


def saturation(strength: float) -> Operation:
    """Multiply each pixel's distance from its grey by 1 - strength to 1 + strength."""

    def apply(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        grey = tf.reduce_sum(images * tf.constant(_GREY), axis=3, keepdims=True)
        return grey + (images - grey) * (1.0 + strength * _per_image(draws[:, _SATURATION])), labels

    return apply


def _signed(draw: tf.Tensor) -> tf.Tensor:
    """Map [0, 1) to [-1, 1)."""
    return 2.0 * draw - 1.0


def _per_image(draw: tf.Tensor) -> tf.Tensor:
    return _signed(draw)[:, None, None, None]
