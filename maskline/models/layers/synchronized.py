"""Batch normalization over the batch of all replicas (Peng et al., CVPR 2018, "MegDet")."""

import tensorflow as tf

from maskline.engine import replicas

_PIXELS = (0, 1, 2)


def normalized(
    x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return normalized inputs, and the mean and biased variance [C] over all replicas.

    Args:
        x: this replica's inputs [B, H, W, C], any float type.
        scale: float32 [C].
        offset: float32 [C].
        epsilon: added to the variance.
    """
    mean, variance = _moments(tf.stop_gradient(x))

    @tf.custom_gradient
    def apply(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tuple:
        outputs = _by_statistics(x, scale, offset, mean, variance, epsilon)

        def gradient(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            outer, inputs = tf.cast(outer, tf.float32), tf.cast(x, tf.float32)
            direct, of_scale, of_offset = _gradients_by_statistics(outer, inputs, scale, mean, variance, epsilon)
            pixels = tf.cast(replicas.count() * (tf.size(x) // tf.size(mean)), tf.float32)
            along, level = tf.unstack(replicas.plain_sum(tf.stack([of_scale, of_offset])) / pixels)
            factor = -scale * tf.math.rsqrt(variance + epsilon)
            by_moments = _by_statistics(inputs, factor * along, factor * level, mean, variance, epsilon)
            return tf.cast(direct + by_moments, x.dtype), of_scale, of_offset

        return outputs, gradient

    return apply(x, scale, offset), mean, variance


def _by_statistics(
    x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, epsilon: float
) -> tf.Tensor:
    outputs, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=offset, mean=mean, variance=variance, epsilon=epsilon, is_training=False
    )
    return outputs


def _gradients_by_statistics(
    outer: tf.Tensor, x: tf.Tensor, scale: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the gradients of the inputs, the scale and the offset of a normalization whose statistics are given."""
    if tf.config.list_logical_devices("GPU"):  # where the fused operation does not repeat to the byte
        inverse = tf.math.rsqrt(variance + epsilon)
        of_scale = tf.reduce_sum(outer * (x - mean) * inverse, _PIXELS)
        return outer * (scale * inverse), of_scale, tf.reduce_sum(outer, _PIXELS)
    of_x, of_scale, of_offset, *_ = tf.raw_ops.FusedBatchNormGradV3(
        y_backprop=outer,
        x=x,
        scale=scale,
        reserve_space_1=mean,
        reserve_space_2=variance,
        reserve_space_3=tf.zeros([1]),
        epsilon=epsilon,
        is_training=False,
    )
    return of_x, of_scale, of_offset


def _moments(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and biased variance [C], from those of the replicas, which have equally many pixels."""
    own = tf.stack(tf.nn.moments(tf.cast(x, tf.float32), _PIXELS))
    means, variances = tf.unstack(replicas.plain_gather(own[None]), axis=1)
    mean = tf.reduce_mean(means, axis=0)
    return mean, tf.reduce_mean(variances + tf.square(means - mean), axis=0)
