"""Dropout that can also be sampled at inference; each sample depends only on its number."""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable("maskline")
class MonteCarloDropout(layers.Layer):
    """Dropout (Srivastava et al., JMLR 2014) with samples at inference (Gal and Ghahramani, ICML 2016).

    At inference nothing is dropped while `sample` is 0. Any other value n selects mask n, which is the same for every
    image, so that a prediction does not depend on other images.

    Args:
        rate: share of features dropped.
        stream: the layer's number, so that the layers of a network draw different masks.
        spatial: whether to drop whole channels (Tompson et al., CVPR 2015).
    """

    def __init__(self, rate: float, stream: int = 0, spatial: bool = False, **options: object) -> None:
        super().__init__(**options)
        self.rate, self.stream, self.spatial = rate, stream, spatial
        if rate:
            self._generator = keras.random.SeedGenerator()
            self.sample = self.add_weight(
                shape=(), dtype="int32", initializer="zeros", trainable=False, autocast=False, name="sample"
            )
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return x with features dropped, and the others scaled up to keep the mean."""
        if not self.rate:
            return x
        if training:
            return keras.random.dropout(x, self.rate, self._mask_shape(x, tf.shape(x)[0]), seed=self._generator)
        return tf.cond(self.sample > 0, lambda: self._dropped(x), lambda: x)

    def _dropped(self, x: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([self.stream, tf.convert_to_tensor(self.sample)])
        kept = tf.random.stateless_uniform(self._mask_shape(x, 1), seed) >= self.rate
        return tf.where(kept, x / (1 - self.rate), tf.zeros_like(x))

    def _mask_shape(self, x: tf.Tensor, batch: int | tf.Tensor) -> tuple[int | tf.Tensor, ...]:
        _, height, width, channels = tf.unstack(tf.shape(x))
        return (batch, 1, 1, channels) if self.spatial else (batch, height, width, channels)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return shape

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "stream": self.stream, "spatial": self.spatial}
