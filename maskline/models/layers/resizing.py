"""Resizing and adaptive pooling for sizes that are unknown when the network is built."""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable("maskline")
class Upsampling(layers.Layer):
    """Bilinear upsampling [B, H, W, C] -> [B, H * factor, W * factor, C]; half-pixel centers."""

    def __init__(self, factor: int, **options: object) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return x with `factor` times its height and width."""
        if self.factor == 1:
            return x
        return tf.cast(tf.image.resize(x, tf.shape(x)[1:3] * self.factor), x.dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with the new height and width."""
        height, width = (length and length * self.factor for length in shape[1:3])
        return (shape[0], height, width, shape[3])

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("maskline")
class NearestUpsampling(layers.Layer):
    """Nearest-neighbor upsampling [B, H, W, C] -> [B, 2H, 2W, C].

    It is a rearrangement of copies, because the gradient of TensorFlow's own resizing is not deterministic on a GPU.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return x with each pixel twice in height and width."""
        return tf.nn.depth_to_space(tf.concat([x] * 4, axis=-1), 2)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with twice its height and width."""
        return (shape[0], *(length and 2 * length for length in shape[1:3]), shape[3])


@keras.saving.register_keras_serializable("maskline")
class ResizeLike(layers.Layer):
    """Bilinear resizing of the first input [B, h, w, C] to the height and width of the second [B, H, W, D]."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Return the first input with the second's height and width."""
        x, like = inputs
        return tf.cast(tf.image.resize(x, tf.shape(like)[1:3]), x.dtype)

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Return the second input's shape with the first's channels."""
        return (*shapes[1][:3], shapes[0][3])


@keras.saving.register_keras_serializable("maskline")
class AdaptiveAveragePooling(layers.Layer):
    """Averages over a grid of bins x bins areas: [B, H, W, C] -> [B, bins, bins, C].

    Bin i spans floor(i H / bins) to ceil((i + 1) H / bins). Bins overlap if H is not a multiple of their number, and
    repeat pixels if H is smaller than it.
    """

    def __init__(self, bins: int, **options: object) -> None:
        super().__init__(**options)
        self.bins = bins

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the averages."""
        rows, columns = (self._weights(tf.shape(x)[axis]) for axis in (1, 2))
        averages = tf.einsum("ih,bhwc,jw->bijc", rows, tf.cast(x, tf.float32), columns)
        return tf.cast(averages, x.dtype)

    def _weights(self, length: tf.Tensor) -> tf.Tensor:
        """Return float32 [bins, length]: each bin's share of each row."""
        bins, pixels = tf.range(self.bins)[:, None], tf.range(length)[None]
        start, end = bins * length // self.bins, ((bins + 1) * length + self.bins - 1) // self.bins
        inside = (pixels >= start) & (pixels < end)
        weights = tf.cast(inside, tf.float32)
        return weights / tf.reduce_sum(weights, axis=1, keepdims=True)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with bins for height and width."""
        return (shape[0], self.bins, self.bins, shape[3])

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "bins": self.bins}
