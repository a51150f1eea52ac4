"""Multiply-adds of a layer: the products in its convolutions and matrix multiplications, each with its addition.

Normalization, activations, pooling and resizing count for nothing. Papers such as those of ResNet and MobileNet call
multiply-adds FLOPs or MAdds.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import layers

_Shape = tuple[int, ...]  # shape of a tensor [1, H, W, C]
_FREE = (layers.BatchNormalization, layers.LayerNormalization, layers.Dropout)


def multiply_adds(layer: Any, args: tuple[Any, ...], options: Mapping[str, Any], output: Any) -> int:
    """Return the multiply-adds of one call.

    Args:
        layer: a built layer, or one of Keras's operations.
        args: what it is called with; the KerasTensors in it have a known shape.
        options: what it is called with by name.
        output: a KerasTensor, or a nest of them.
    """
    for kind, count in _FORMULAS.items():
        if isinstance(layer, kind):
            return count(layer, args[0].shape, output.shape)
    if isinstance(layer, _FREE) or (layer.__module__.startswith("keras.") and not getattr(layer, "weights", ())):
        return 0
    return sum(_of_operation(operation) for operation in _graph(layer, args, options).get_operations())


def _convolution(layer: layers.Conv2D, inputs: _Shape, output: _Shape) -> int:
    return math.prod(output[:-1]) * math.prod(layer.kernel.shape)


def _separable(layer: layers.SeparableConv2D, inputs: _Shape, output: _Shape) -> int:
    kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
    return math.prod(output[:-1]) * sum(math.prod(kernel.shape) for kernel in kernels)


def _transposed(layer: layers.Conv2DTranspose, inputs: _Shape, output: _Shape) -> int:
    return math.prod(inputs[:-1]) * math.prod(layer.kernel.shape)


_FORMULAS: dict[type[keras.Layer], Callable[[Any, _Shape, _Shape], int]] = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _convolution,
    layers.Dense: _convolution,
    layers.SeparableConv2D: _separable,
    layers.Conv2DTranspose: _transposed,
}


def _graph(layer: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> tf.Graph:
    """Return the graph of one call at inference."""

    def spec(x: Any) -> Any:
        return tf.TensorSpec(x.shape, x.dtype) if isinstance(x, keras.KerasTensor) else x

    traced = tf.function(lambda given, named: layer(*given, **named), autograph=False)
    return traced.get_concrete_function(*keras.tree.map_structure(spec, (args, dict(options)))).graph


def _of_operation(operation: tf.Operation) -> int:
    """Return the multiply-adds of an operation; 0 if it multiplies neither matrices nor kernels."""
    kind, shapes = operation.type, [list(x.shape) for x in operation.inputs]
    if kind in ("Conv2D", "DepthwiseConv2dNative"):
        return math.prod(operation.outputs[0].shape[:-1]) * math.prod(shapes[1])
    if kind == "Conv2DBackpropInput":
        return math.prod(shapes[2][:-1]) * math.prod(shapes[1])
    if kind in ("MatMul", "BatchMatMulV2"):
        is_turned = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        return math.prod(operation.outputs[0].shape) * shapes[0][-2 if is_turned else -1]
    if kind == "Einsum":
        return math.prod(operation.outputs[0].shape) * _summed(operation.get_attr("equation").decode(), shapes)
    return 0


def _summed(equation: str, shapes: list[list[int]]) -> int:
    """Return how many products an einsum adds up for each of its results."""
    terms, _, result = equation.partition("->")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms.split(","), shapes, strict=True):
        first, _, last = term.partition("...")
        sizes |= dict(zip(first, shape, strict=False))
        sizes |= dict(zip(reversed(last), reversed(shape), strict=False))
    return math.prod(size for label, size in sizes.items() if label not in result)
