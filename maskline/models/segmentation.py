"""The model that is trained, saved and served: any architecture on any encoder, for images of any size."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from maskline.models.encoders import ENCODERS, STRIDES
from maskline.models.unet import unet
from maskline.models.unet_pix2pix import unet_pix2pix

ARCHITECTURES: dict[str, Callable[..., keras.KerasTensor]] = {"unet": unet, "unet_pix2pix": unet_pix2pix}


@keras.saving.register_keras_serializable("maskline")
class SegmentationModel(keras.Model):
    """Semantic segmentation of RGB images in 0..255, of any height and width.

    Called on images [B, H, W, 3], integer or float, it returns logits float32 [B, H, W, C]. It pads inside to whole
    strides, normalises inside, and carries its classes' names and colours, so a saved file needs nothing beside it.

    Args:
        architecture: a key of `ARCHITECTURES`.
        encoder: a key of `encoders.ENCODERS`.
        class_names: C names, in label order.
        class_colors: C colours '#rrggbb'.
        width: channels of the first level, where the network has a choice.
        dropout: share of the deepest features dropped in training.
        freeze_encoder: keep the encoder as it is.
        precision: Keras dtype policy of the layers; weights and logits stay float32.
        encoder_weights: a file for the encoder; not part of the saved configuration.

    Raises:
        InputError: `encoder_weights` are of another network.
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
        encoder_weights: Path | None = None,
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
            "name": name,
        }
        self.class_names, self.class_colors = list(class_names), list(class_colors)
        self.stride = STRIDES[encoder][-1]
        outer = keras.config.dtype_policy()
        keras.config.set_dtype_policy(precision)
        try:
            backbone = ENCODERS[encoder](width, encoder_weights)
            backbone.trainable = not freeze_encoder
            images = keras.Input((None, None, 3))
            logits = ARCHITECTURES[architecture](backbone(images), STRIDES[encoder], len(class_names), width, dropout)
            self.network = keras.Model(images, logits, name=architecture)
        finally:
            keras.config.set_dtype_policy(outer)
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return logits float32 [B, H, W, C]."""
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        below, right = -height % self.stride, -width % self.stride
        padded = tf.pad(tf.cast(images, tf.float32), [[0, 0], [0, below], [0, right], [0, 0]], "SYMMETRIC")
        return self.network(padded, training=training)[:, :height, :width]

    def training_loss(
        self, images: tf.Tensor, labels: tf.Tensor, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> tf.Tensor:
        """Return the scalar to minimise; a network with auxiliary outputs adds their losses here."""
        return loss(labels, self(images, training=True))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(self._config)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SegmentationModel":
        """Build an untrained model of the same configuration."""
        return cls(**config)
