"""Batch normalisation over a single value, which gives 0 for any input: training would learn another network."""

import tensorflow as tf

from maskline.errors import InputError
from maskline.params.train import TrainParams


def check_normalised(graph: tf.Graph, params: TrainParams, examples: int) -> None:
    """Refuse a training step in which each channel of some batch normalisation has one value.

    Args:
        graph: the traced step.
        params: its batch size is in the message.
        examples: images in the train split, of which a batch has no more.

    Raises:
        InputError: there is such a normalisation.
    """
    if any(_is_single(operation) for operation in graph.get_operations()):
        raise InputError(
            "this network normalises features of one pixel over the batch, so a batch of one image leaves nothing of "
            f"them; set train.batch_size to 2 or more (Received: {params.batch_size}) with 2 train images or more "
            f"(Received: {examples}), or choose another model.architecture."
        )


def _is_single(operation: tf.Operation) -> bool:
    if operation.type != "FusedBatchNormV3" or not operation.get_attr("is_training"):
        return False
    values = operation.inputs[0].shape[:3]
    return values.is_fully_defined() and values.num_elements() == 1
