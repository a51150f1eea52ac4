"""Dropout that can also be sampled at inference; each sample depends only on its number."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import keras
import tensorflow as tf
from keras import layers

from maskline.engine import replicas
from maskline.models.layers.noise import own_noise


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
        self.constant: int | None = None  # see `constant_sample`
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
            return _with_drops(x, self.rate, self._mask_shape(tf.shape(x), tf.shape(x)[0]), self._generator)
        if self.constant is not None:
            return self._dropped(x, self.constant) if self.constant else x
        return tf.cond(self.sample > 0, lambda: self._dropped(x, tf.convert_to_tensor(self.sample)), lambda: x)

    def _dropped(self, x: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
        return tf.where(self._kept(x, number), x / (1 - self.rate), tf.zeros_like(x))

    def _kept(self, x: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
        """Return the mask; that of a constant sample of a known size is a constant, not a random operation."""
        known = isinstance(number, int) and None not in x.shape[1:]
        with tf.init_scope() if known else contextlib.nullcontext():
            shape = self._mask_shape(x.shape if known else tf.shape(x), 1)
            kept = tf.random.stateless_uniform(shape, tf.stack([self.stream, number])) >= self.rate
        return tf.constant(kept.numpy()) if known else kept

    def _mask_shape(self, shape: tf.Tensor | tf.TensorShape, batch: int | tf.Tensor) -> tuple[int | tf.Tensor, ...]:
        height, width, channels = shape[1], shape[2], shape[3]
        return (batch, 1, 1, channels) if self.spatial else (batch, height, width, channels)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return shape

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "stream": self.stream, "spatial": self.spatial}


@keras.saving.register_keras_serializable("maskline")
class Dropout(layers.Dropout):
    """Keras's layer, with a mask that is drawn for the batch of all replicas.

    The class has the same name as Keras's, because weights files use it.
    """

    @classmethod
    def like(cls, layer: layers.Dropout) -> "Dropout":
        """Return a layer with the name, the rate and the state of the generator of Keras's layer."""
        made = cls.from_config(layer.get_config() | {"seed": 0})  # a given seed draws none
        made.seed = layer.seed
        made.seed_generator.state.assign(layer.seed_generator.state)
        return made

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the inputs with features dropped, and the others scaled up to keep the mean."""
        if not training or replicas.count() == 1:
            return super().call(inputs, training)
        own = self.noise_shape or (None,) * len(inputs.shape)
        shape = [given or size for given, size in zip(own, tf.unstack(tf.shape(inputs)), strict=True)]
        return _with_drops(inputs, self.rate, shape, self.seed_generator)


def _with_drops(
    x: tf.Tensor, rate: float, shape: Sequence[int | tf.Tensor], generator: keras.random.SeedGenerator
) -> tf.Tensor:
    """Return x with features dropped by a mask of this shape."""
    if replicas.count() == 1:
        return keras.random.dropout(x, rate, shape, seed=generator)

    def scales(rows: int | tf.Tensor) -> tf.Tensor:
        return keras.random.dropout(tf.ones((rows, *shape[1:]), x.dtype), rate, seed=generator)

    return x * own_noise(scales, shape[0])


@contextlib.contextmanager
def constant_sample(dropouts: Iterable[MonteCarloDropout], number: int | None) -> Iterator[None]:
    """Let layers apply sample `number`, or none if it is 0, as a constant; None: the one that their variables hold.

    A graph traced with a constant has no branch and no variable for samples, which other runtimes do not know.
    """
    dropouts = list(dropouts)
    for layer in dropouts:
        layer.constant = number
    try:
        yield
    finally:
        for layer in dropouts:
            layer.constant = None
