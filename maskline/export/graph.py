"""The graph of an exported file: one input `images`, and outputs by name."""

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf

from maskline.contracts.fit import Size
from maskline.contracts.model_info import Format
from maskline.models.ensemble import AnyModel, Ensemble
from maskline.models.segmentation import SegmentationModel

Output = Literal["probabilities", "labels", "confidence", "logits"]
DEFAULT: tuple[Output, ...] = ("probabilities",)


def takes_any_size(samples: int, file_format: Format) -> bool:
    """Return whether a format can hold a model, which averages this many samples of dropout, for images of any size.

    Only TensorFlow draws the masks of dropout as this project does. Other formats hold them as constants, which have
    the size of the features.
    """
    return file_format == "savedmodel" or not samples


def in_float32(model: AnyModel) -> AnyModel:
    """Return the model with all layers in float32, because other runtimes lack operations in lower precisions."""
    if isinstance(model, Ensemble):
        return Ensemble([_in_float32(member) for member in model.members], model.sources)
    return _in_float32(model)


def _in_float32(model: SegmentationModel) -> SegmentationModel:
    config = model.get_config()
    if config["precision"] == "float32":
        return model
    same = SegmentationModel.from_config(config | {"precision": "float32"})
    same.set_weights(model.get_weights())
    return same


def serving_function(
    model: AnyModel, outputs: Sequence[Output], size: Size | None
) -> tf.types.experimental.PolymorphicFunction:
    """Return a function of images uint8 [N, H, W, 3], RGB.

    It returns a dictionary with any of 'probabilities' float32 [N, H, W, C], 'labels' uint8 [N, H, W], 'confidence'
    float32 [N, H, W], which is the highest probability, and 'logits' float32 [N, H, W, C].

    Args:
        model: the model.
        outputs: their names.
        size: the only height and width of images; None: any.
    """

    @tf.function(input_signature=[tf.TensorSpec((None, *(size or (None, None)), 3), tf.uint8, name="images")])
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = model.probabilities(images) if model.samples else _softmax(model(images))
        found = {
            "probabilities": probabilities,
            "labels": tf.cast(tf.argmax(probabilities, axis=-1), tf.uint8),
            "confidence": tf.reduce_max(probabilities, axis=-1),
        }
        if "logits" in outputs:
            found["logits"] = model(images)
        return {name: found[name] for name in outputs}

    return serve


def _softmax(logits: tf.Tensor) -> tf.Tensor:
    """Return the softmax over the last axis of logits float32 [N, H, W, C].

    ONNX Runtime computes these operations faster than its Softmax, and int8 leaves them in float32.
    """
    exponentials = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True))
    return exponentials / tf.reduce_sum(exponentials, axis=-1, keepdims=True)
