"""Weights of Hugging Face's transformers, for an encoder whose layers have the names that they have there."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np
from keras import layers

_PREFIXES = ("segformer.", "encoder.")  # of names in files of a whole network, and of the encoder with a classifier
_HEADS = ("classifier.", "decode_head.")


def assign_weights(network: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Set all weights of a network from the tensors of PyTorch's layers; those of heads are ignored.

    Raises:
        ValueError: the tensors are those of another network.
    """
    named = {_plain(name): tensor for name, tensor in tensors.items() if not name.startswith(_HEADS)}
    wanted = dict(_variables(network))
    for name in sorted(wanted.keys() ^ named.keys()):
        raise ValueError(f"it {'lacks' if name in wanted else 'also has'} {name}")
    for name, (layer, variable) in wanted.items():
        value = _of_keras(layer, named[name])
        if value.shape != variable.shape:
            raise ValueError(f"{name} has the shape {list(named[name].shape)}")
        variable.assign(value)


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _variables(network: keras.Model) -> Iterator[tuple[str, tuple[layers.Layer, keras.Variable]]]:
    """Return the weights and their layers by their names in transformers, where scale or kernel is the 'weight'."""
    for layer in network.layers:
        for part, variable in zip(("weight", "bias"), layer.trainable_variables, strict=False):
            yield f"{layer.name}.{part}", (layer, variable)


def _of_keras(layer: layers.Layer, tensor: np.ndarray) -> np.ndarray:
    """Return PyTorch's tensor in the order of Keras's axes; a linear layer's becomes that of a 1x1 convolution."""
    if tensor.ndim == 1:
        return tensor
    if tensor.ndim == 2:
        return tensor.T[None, None]
    return tensor.transpose((2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0))
