"""PointRend: a coarse network whose uncertain points are predicted again from fine features.

Kirillov, Wu, He and Girshick, CVPR 2020. The fine features are the finest level of a pyramid (P2), or the encoder's at
stride 4 if the coarse network has no pyramid. Most training points are uncertain ones. At inference the coarse logits
are doubled in size step by step, and in each step the most uncertain points are replaced.
"""

from collections.abc import Mapping

import keras
import tensorflow as tf
from keras import layers

from maskline.contracts.classes import VOID
from maskline.engine.replicas import all_sums
from maskline.models.interface import Architecture, Decoded, Features, Loss
from maskline.models.layers.blocks import scaled
from maskline.models.layers.noise import own_noise

_Shape = tuple[int | None, int | None, int | None, int]  # shape of a tensor [B, H, W, channels]

_POINTS_PER_AREA = 256  # image pixels per point, which gives one point for each pixel at stride 16
_OVERSAMPLING = 3
_UNCERTAIN_SHARE = 0.75
_HIDDEN = 3


def pointrend(coarse: Architecture) -> Architecture:
    """Return an architecture that refines `coarse`, whose logits must be smaller than the image."""

    def decoder(features: Features, classes: int, width: int, dropout: float) -> Decoded:
        decoded = coarse.decoder(features, classes, width, dropout)
        fine = features.at(4) if decoded.fine is None else decoded.fine
        return _refined(decoded, fine, scaled(256, width))

    def auxiliary_loss(outputs: Mapping[str, tf.Tensor], labels: tf.Tensor, loss: Loss) -> tf.Tensor:
        coarse_loss = coarse.auxiliary_loss(outputs, labels, loss) if coarse.auxiliary_loss else 0.0
        return coarse_loss + point_loss(outputs["points"], outputs["point_logits"], labels)

    return coarse._replace(decoder=decoder, auxiliary_loss=auxiliary_loss)


def _refined(decoded: Decoded, fine: keras.KerasTensor, channels: int) -> Decoded:
    """Refine coarse logits with fine features at stride 4; the point head has `channels`, 256 in the paper."""
    refined = PointRend(decoded.stride, channels)([decoded.logits, fine])
    logits = refined.pop("logits")
    return Decoded(logits, 1, {**decoded.extras, **refined})


def point_loss(points: tf.Tensor, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy over the points that are not void, as a scalar.

    Args:
        points: float32 [B, N, 2], rows and columns in 0..1.
        logits: float32 [B, N, C].
        labels: integer [B, H, W].
    """
    places = tf.cast(points * tf.cast(tf.shape(labels)[1:], tf.float32), tf.int32)
    truth = tf.cast(tf.gather_nd(labels, tf.minimum(places, tf.shape(labels)[1:] - 1), batch_dims=1), tf.int32)
    valid = truth != VOID
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.where(valid, truth, 0), logits=logits)
    weights = tf.cast(valid, tf.float32)
    return tf.math.divide_no_nan(*all_sums([tf.reduce_sum(losses * weights), tf.reduce_sum(weights)]))


@keras.saving.register_keras_serializable("maskline")
class PointRend(layers.Layer):
    """The point head, and the selection of points in training and at inference.

    Called on coarse logits [B, H / stride, W / stride, C] and fine features [B, h, w, D], it returns 'logits' float32
    [B, H, W, C], 'points' [B, N, 2] and 'point_logits' [B, N, C]. In training the logits are the coarse ones; at
    inference N is 0.

    Args:
        stride: of the coarse logits; a power of 2 above 1.
        channels: of the point head's three hidden layers.
    """

    def __init__(self, stride: int, channels: int, **options: object) -> None:
        super().__init__(autocast=False, **options)  # autocasting rounds the coarse logits
        self.stride, self.channels = stride, channels
        self._generator = keras.random.SeedGenerator()

    def build(self, shapes: list[_Shape]) -> None:
        """Build the point head; the coarse logits are an input of every layer."""
        classes, inputs = shapes[0][-1], shapes[1][-1]
        self._layers_of_head = [
            layers.Dense(self.channels, activation="relu", kernel_initializer="he_normal") for _ in range(_HIDDEN)
        ]
        for layer in self._layers_of_head:
            layer.build((None, None, inputs + classes))
            inputs = self.channels
        small = keras.initializers.RandomNormal(stddev=0.001)
        self._last = layers.Dense(classes, kernel_initializer=small, dtype="float32")
        self._last.build((None, None, inputs + classes))

    def call(self, inputs: list[tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """Return logits, points and their logits."""
        coarse, fine = tf.cast(inputs[0], tf.float32), inputs[1]
        if training:
            points = self._uncertain_points(coarse)
            size = tf.shape(coarse)[1:3] * self.stride
            logits = tf.image.resize(coarse, size)
            return {"logits": logits, "points": points, "point_logits": self._head(coarse, fine, points)}
        empty = tf.zeros_like(coarse[:, :0, 0])
        return {"logits": self._subdivided(coarse, fine), "points": empty[..., :2], "point_logits": empty}

    def _head(self, coarse: tf.Tensor, fine: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
        x, logits = _at_points(fine, points), _at_points(coarse, points)
        for layer in self._layers_of_head:
            x = layer(tf.concat([x, tf.cast(logits, x.dtype)], axis=-1))
        return self._last(tf.concat([tf.cast(x, tf.float32), logits], axis=-1))

    def _count(self, coarse: tf.Tensor) -> tf.Tensor:
        height, width = tf.unstack(tf.shape(coarse)[1:3] * self.stride)
        return tf.maximum(1, height * width // _POINTS_PER_AREA)

    def _uncertain_points(self, coarse: tf.Tensor) -> tf.Tensor:
        """Return points [B, N, 2]: most are the least certain of many random points, the others are random."""
        batch, count = tf.shape(coarse)[0], self._count(coarse)
        many = self._random_points(batch, _OVERSAMPLING * count)
        chosen = tf.cast(_UNCERTAIN_SHARE * tf.cast(count, tf.float32), tf.int32)
        _, best = tf.math.top_k(_uncertainty(_at_points(coarse, many)), chosen)
        anywhere = self._random_points(batch, count - chosen)
        return tf.stop_gradient(tf.concat([tf.gather(many, best, batch_dims=1), anywhere], axis=1))

    def _random_points(self, batch: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        return own_noise(lambda rows: keras.random.uniform((rows, count, 2), seed=self._generator), batch)

    def _subdivided(self, coarse: tf.Tensor, fine: tf.Tensor) -> tf.Tensor:
        """Double the size of the logits up to the image's, and predict the least certain points again each time."""
        logits = coarse
        for _ in range(self.stride.bit_length() - 1):
            logits = tf.image.resize(logits, tf.shape(logits)[1:3] * 2)
            batch, height, width, classes = tf.unstack(tf.shape(logits))
            flat = tf.reshape(logits, [batch, height * width, classes])
            _, chosen = tf.math.top_k(_uncertainty(flat), tf.minimum(self._count(coarse), height * width))
            centers = (tf.cast(tf.stack([chosen // width, chosen % width], axis=-1), tf.float32) + 0.5) / tf.cast(
                tf.stack([height, width]), tf.float32
            )
            new = self._head(coarse, fine, centers)
            images = tf.broadcast_to(tf.range(batch)[:, None], tf.shape(chosen))
            flat = tf.tensor_scatter_nd_update(flat, tf.stack([images, chosen], axis=-1), new)
            logits = tf.reshape(flat, tf.shape(logits))
        return logits

    def compute_output_shape(self, shapes: list[_Shape]) -> dict[str, tuple[int | None, ...]]:
        """Return the shapes of the outputs."""
        batch, height, width, classes = shapes[0]
        height, width = (length and length * self.stride for length in (height, width))
        return {
            "logits": (batch, height, width, classes),
            "points": (batch, None, 2),
            "point_logits": (batch, None, classes),
        }

    def compute_output_spec(
        self, inputs: list[keras.KerasTensor], training: bool = False
    ) -> dict[str, keras.KerasTensor]:
        """Return the outputs' shapes, all in float32."""
        shapes = self.compute_output_shape([x.shape for x in inputs])
        return {name: keras.KerasTensor(shape, "float32") for name, shape in shapes.items()}

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "stride": self.stride, "channels": self.channels}


def _uncertainty(logits: tf.Tensor) -> tf.Tensor:
    """Return minus the gap between the two highest logits, [B, N] from [B, N, C]; 0 is the most uncertain."""
    top = tf.math.top_k(logits, 2).values
    return top[..., 1] - top[..., 0]


def _at_points(x: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Sample x [B, H, W, C] bilinearly at points [B, N, 2], rows and columns in 0..1; return [B, N, C]."""
    size = tf.shape(x)[1:3]
    place = points * tf.cast(size, tf.float32) - 0.5
    low = tf.floor(place)
    share = tf.expand_dims(tf.cast(place - low, x.dtype), -1)
    low = tf.cast(low, tf.int32)
    rows, columns = ([tf.clip_by_value(low[..., axis] + i, 0, size[axis] - 1) for i in (0, 1)] for axis in (0, 1))
    down, right = share[..., 0, :], share[..., 1, :]
    return tf.add_n(
        [
            row_weight * column_weight * tf.gather_nd(x, tf.stack([row, column], axis=-1), batch_dims=1)
            for row, row_weight in zip(rows, (1 - down, down), strict=True)
            for column, column_weight in zip(columns, (1 - right, right), strict=True)
        ]
    )
