"""The segmentation model: any architecture with any encoder, for images of any size."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import keras
import tensorflow as tf

from maskline.contracts.classes import VOID
from maskline.contracts.model_info import Preprocessing
from maskline.models.encoders import registry as encoders
from maskline.models.interface import Features, Loss
from maskline.models.layers.dropout import MonteCarloDropout, constant_sample
from maskline.models.layers.normalization import BatchNormalization
from maskline.models.layers.resizing import Upsampling
from maskline.models.registry import find_architecture

_Length = TypeVar("_Length", int, tf.Tensor)
_Layer = TypeVar("_Layer", bound=keras.Layer)

TINY = 1e-30  # a probability whose logarithm is still finite


@keras.saving.register_keras_serializable("maskline")
class SegmentationModel(keras.Model):
    """Semantic segmentation of RGB images in 0..255, of any height and width.

    Called on images [B, H, W, 3], integer or float, it returns logits float32 [B, H, W, C]. It pads
    images to a multiple of the output stride, normalizes them, and holds the names and colors of its classes, so that a
    saved file is complete. For every architecture, training calls `training_loss`, validation calls the model, and
    prediction calls `probabilities` or `sampled`.

    Args:
        architecture: one of `catalogue.NETWORKS`.
        encoder: one of `catalogue.ENCODERS`.
        class_names: C names, in label order.
        class_colors: C colors '#rrggbb'.
        width: scale of the channels of the decoder and of the project's own encoders; 64 gives each paper's.
        dropout: share of features dropped in training, in the places where the paper drops them.
        freeze_encoder: whether the encoder is not trained.
        precision: Keras dtype policy of the layers; weights and logits stay float32.
        output_stride: of the encoder: 8, 16 or 32.
        coarse: the architecture that 'pointrend' refines, one of `catalogue.REFINABLE`; others ignore it.
        encoder_weights: a weights file for the encoder; not part of the saved configuration.
        freeze_normalization: whether the encoder's batch normalization keeps its statistics in training; not part of
            the saved configuration either.
        preprocessing: how the training images were made; None: not recorded.
        test_split: SHA-256 of the entry of the test split, whose images are not trained on, in the manifest of the
            shards; None: not recorded.

    Raises:
        InputError: `encoder_weights` belong to another network.
    """

    def __init__(
        self,
        architecture: str,
        encoder: str,
        class_names: Sequence[str],
        class_colors: Sequence[str],
        width: int,
        dropout: float,
        freeze_encoder: bool,
        precision: str,
        output_stride: int = 32,
        coarse: str = "fpn",
        encoder_weights: Path | None = None,
        freeze_normalization: bool = False,
        preprocessing: Preprocessing | None = None,
        test_split: str | None = None,
        name: str = "segmentation",
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self._config = {
            "architecture": architecture,
            "encoder": encoder,
            "class_names": list(class_names),
            "class_colors": list(class_colors),
            "width": width,
            "dropout": dropout,
            "freeze_encoder": freeze_encoder,
            "precision": precision,
            "output_stride": output_stride,
            "coarse": coarse,
            "preprocessing": preprocessing and preprocessing.model_dump(mode="json"),
            "test_split": test_split,
            "name": name,
        }
        self.class_names, self.class_colors = list(class_names), list(class_colors)
        self.architecture = find_architecture(architecture, coarse)
        strides = encoders.strides(encoder, output_stride)
        self.stride = strides[-1]
        previous_policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(precision)
        try:
            backbone = encoders.build_encoder(
                encoder,
                encoders.Options(
                    width,
                    dropout if self.architecture.encoder_dropout else 0.0,
                    output_stride,
                    self.architecture.multi_grid,
                    encoder_weights,
                ),
            )
            backbone.trainable = not freeze_encoder
            for layer in _of_type(backbone, BatchNormalization):
                layer.frozen = freeze_normalization
            images = keras.Input((None, None, 3))
            features = Features(tuple(backbone(images)), strides, encoder)
            decoded = self.architecture.decoder(features, len(class_names), width, dropout)
            logits = Upsampling(decoded.stride, dtype="float32")(decoded.logits)
            self.network = keras.Model(images, {"logits": logits, **decoded.extras}, name=architecture)
        finally:
            keras.config.set_dtype_policy(previous_policy)
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return logits float32 [B, H, W, C]; a network with samples returns the log of its mean probabilities."""
        if training or not self.samples:
            return self._logits(images, training)
        return tf.math.log(tf.maximum(self.probabilities(images), TINY))

    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Return probabilities float32 [B, H, W, C]; a network with samples returns their mean."""
        if not self.samples:
            return tf.nn.softmax(self(images))
        return tf.add_n([self.sampled(images, number) for number in range(1, self.samples + 1)]) / self.samples

    def sampled(self, images: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
        """Return the probabilities [B, H, W, C] of one pass with dropout, whose masks depend on `number`, from 1 on."""
        if isinstance(number, int):
            return tf.nn.softmax(self._logits(images, sample=number))
        layers = self.dropouts
        for layer in layers:
            layer.sample.assign(number)
        logits = self._logits(images, sample=None)
        for layer in layers:
            layer.sample.assign(0)
        return tf.nn.softmax(logits)

    @property
    def samples(self) -> int:
        """Number of passes with dropout that inference averages; 0: one pass without dropout."""
        return self.architecture.samples

    @property
    def dropouts(self) -> list[MonteCarloDropout]:
        """The layers of encoder and decoder that drop features."""
        return [layer for layer in _of_type(self.network, MonteCarloDropout) if layer.rate]

    @property
    def encoder(self) -> keras.Model:
        """The encoder, a part of the network."""
        encoder: keras.Model = self.network.get_layer(self._config["encoder"])
        return encoder

    def training_loss(self, images: tf.Tensor, labels: tf.Tensor, loss: Loss) -> tf.Tensor:
        """Return the scalar to minimize: the loss of the logits plus the architecture's auxiliary loss."""
        labels = tf.pad(labels, self._padding(images)[:3], constant_values=VOID)
        outputs = self._outputs(images, training=True)
        total = loss(labels, outputs["logits"])
        if self.architecture.auxiliary_loss:
            total += self.architecture.auxiliary_loss(outputs, labels, loss)
        return total

    def _logits(self, images: tf.Tensor, training: bool = False, sample: int | None = 0) -> tf.Tensor:
        """Return logits of the images' size; `sample` is a constant in the graph, or None to read the variables."""
        with constant_sample(self.dropouts, sample):
            logits = self._outputs(images, training)["logits"]
        return logits[:, : tf.shape(images)[1], : tf.shape(images)[2]]

    def _outputs(self, images: tf.Tensor, training: bool) -> Mapping[str, tf.Tensor]:
        """Return the network's outputs for images padded to a multiple of the output stride."""
        for axis in (1, 2):
            images = self._mirrored(images, axis)
        outputs: Mapping[str, tf.Tensor] = self.network(tf.cast(images, tf.float32), training=training)
        return outputs

    def _mirrored(self, images: tf.Tensor, axis: int) -> tf.Tensor:
        """Pad an axis as tf.pad does with SYMMETRIC, of which LiteRT loses the channels.

        An axis too short for that is mirrored to half a stride first, again and again.
        """
        known = images.shape[axis]
        if known is not None and known % self.stride == 0:
            return images
        length = tf.shape(images)[axis]
        enough = tf.maximum(length, self.stride // 2)
        at = tf.range(length + missing(length, self.stride))
        at = tf.minimum(at, 2 * enough - 1 - at) % (2 * length)
        return tf.gather(images, tf.minimum(at, 2 * length - 1 - at), axis=axis)

    def _padding(self, images: tf.Tensor) -> list[list[int | tf.Tensor]]:
        height, width = (missing(tf.shape(images)[axis], self.stride) for axis in (1, 2))
        return [[0, 0], [0, height], [0, width], [0, 0]]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, and the output stride for readers without TensorFlow."""
        return {**self._config, "stride": self.stride}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SegmentationModel":
        """Build an untrained model of the same configuration."""
        arguments = {key: value for key, value in config.items() if key not in ("stride", "preprocessing")}
        preprocessing = config.get("preprocessing")
        return cls(preprocessing=preprocessing and Preprocessing.model_validate(preprocessing), **arguments)


def missing(length: _Length, stride: int) -> _Length:
    """Return how many pixels to add to a length for a multiple of the stride.

    No operand is negative, because the remainder of a negative number has another sign in ONNX and in LiteRT.
    """
    return (stride - length % stride) % stride


def _of_type(network: keras.Model, kind: type[_Layer]) -> Iterator[_Layer]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _of_type(layer, kind)
        elif isinstance(layer, kind):
            yield layer
