"""Batch normalization over the batch of all workers (Peng et al., CVPR 2018, "MegDet")."""

import tensorflow as tf

from maskline.engine import replicas

_PIXELS = (0, 1, 2)


def normalized(
    x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return normalized inputs, and the mean and biased variance [C] over all workers.

    Args:
        x: this worker's inputs [B, H, W, C], any float type.
        scale: float32 [C].
        offset: float32 [C].
        epsilon: added to the variance.
    """
    mean, variance = _moments(tf.stop_gradient(x))

    @tf.custom_gradient
    def apply(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tuple:
        outputs, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=mean, variance=variance, epsilon=epsilon, is_training=False
        )

        def gradient(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            outer, inverse = tf.cast(outer, tf.float32), tf.math.rsqrt(variance + epsilon)
            unscaled = (tf.cast(x, tf.float32) - mean) * inverse
            of_scale, of_offset = (tf.reduce_sum(term, _PIXELS) for term in (outer * unscaled, outer))
            pixels = tf.cast(replicas.count() * (tf.size(x) // tf.size(mean)), tf.float32)
            along, level = (total / pixels for total in replicas.all_sums([of_scale, of_offset]))
            return tf.cast(scale * inverse * (outer - level - unscaled * along), x.dtype), of_scale, of_offset

        return outputs, gradient

    return apply(x, scale, offset), mean, variance


def _moments(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and biased variance [C], from those of the workers, which have equally many pixels."""
    own = tf.stack(tf.nn.moments(tf.cast(x, tf.float32), _PIXELS))
    means, variances = tf.unstack(replicas.gather(own[None]), axis=1)
    mean = tf.reduce_mean(means, axis=0)
    return mean, tf.reduce_mean(variances + tf.square(means - mean), axis=0)
