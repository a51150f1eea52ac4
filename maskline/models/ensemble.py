"""An ensemble: trained models in one, which predicts the mean of their probabilities."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.segmentation import TINY, SegmentationModel


@keras.saving.register_keras_serializable("maskline")
class Ensemble(keras.Model):
    """Several models of the same classes and the same input, used as one (Lakshminarayanan et al., NeurIPS 2017).

    Called on images [B, H, W, 3], integer or float, it returns the log of the members' mean probabilities, float32
    [B, H, W, C], whose softmax is that mean. Members may differ in architecture, encoder and precision.

    Args:
        members: two or more, each with the classes and the preprocessing of the first.
        sources: the SHA-256 of each member's file.
    """

    def __init__(self, members: Sequence[SegmentationModel], sources: Sequence[str], name: str = "ensemble") -> None:
        super().__init__(name=name, dtype="float32")
        self.members, self.sources = list(members), list(sources)
        first = self.members[0]
        self.class_names, self.class_colors = first.class_names, first.class_colors
        self.stride = max(member.stride for member in self.members)
        self.samples = max(member.samples for member in self.members)
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return logits float32 [B, H, W, C], the log of the mean probabilities."""
        return tf.math.log(tf.maximum(self.probabilities(images), TINY))

    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """Return the mean of the members' probabilities, float32 [B, H, W, C]."""
        return tf.add_n([member.probabilities(images) for member in self.members]) / len(self.members)

    def sampled(self, images: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
        """Return the mean probabilities [B, H, W, C] of one pass, in which each member that has dropout uses it.

        The masks depend on `number`, from 1 on.
        """
        passes = [m.sampled(images, number) if m.dropouts else m.probabilities(images) for m in self.members]
        return tf.add_n(passes) / len(passes)

    @property
    def dropouts(self) -> list[MonteCarloDropout]:
        """The members' layers that drop features."""
        return [layer for member in self.members for layer in member.dropouts]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, and what readers without TensorFlow look for in any model."""
        configs = [member.get_config() for member in self.members]
        return {
            "members": configs,
            "sources": self.sources,
            "architecture": _names(configs, "architecture"),
            "encoder": _names(configs, "encoder"),
            "class_names": self.class_names,
            "class_colors": self.class_colors,
            "stride": self.stride,
            "preprocessing": configs[0]["preprocessing"],
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Ensemble":
        """Build an untrained ensemble of the same configuration."""
        members = [SegmentationModel.from_config(member) for member in config["members"]]
        return cls(members, config["sources"], config["name"])


# What predicts: a single model or several in one.
AnyModel = SegmentationModel | Ensemble


def _names(configs: Sequence[dict[str, Any]], key: str) -> str:
    """Return the different values of a key, in order."""
    return ", ".join(dict.fromkeys(config[key] for config in configs))
