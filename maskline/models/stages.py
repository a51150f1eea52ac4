"""A network by stage: its layers, their output stride, parameters and multiply-adds."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import layers

from maskline.contracts.network import Network, NetworkStage, Part
from maskline.models.multiply_adds import multiply_adds
from maskline.models.segmentation import SegmentationModel, missing

_KINDS: dict[type[keras.Layer], str] = {
    layers.Conv2D: "convolution",
    layers.DepthwiseConv2D: "depthwise convolution",
    layers.SeparableConv2D: "separable convolution",
    layers.Conv2DTranspose: "transposed convolution",
    layers.Dense: "dense layer",
}
_NORMALIZATIONS = (layers.BatchNormalization, layers.LayerNormalization)


class _Call(NamedTuple):
    """A call of a layer, or of one of Keras's operations, with its symbolic inputs and outputs."""

    layer: Any
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    output: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first output, [1, H, W, C] for images."""
        first: tuple[int, ...] = keras.tree.flatten(self.output)[0].shape
        return first

    @property
    def weights(self) -> Sequence[keras.Variable]:
        """The variables of the layer."""
        found: Sequence[keras.Variable] = getattr(self.layer, "weights", ())
        return found


class _Place(NamedTuple):
    """Where a call belongs; an encoder's number is that of its features, a decoder's the negative stride."""

    part: Part
    number: int = 0


_ORDER: tuple[Part, ...] = ("encoder", "decoder", "head", "training")


def describe_network(model: SegmentationModel, height: int, width: int) -> Network:
    """Return the stages of a model for one image of this size in pixels.

    The model's layers are called on symbolic inputs; nothing is computed.
    """
    height, width = (length + missing(length, model.stride) for length in (height, width))
    stages: dict[_Place, list[_Call]] = {}
    for place, call in _placed(model, (1, height, width, 3)):
        stages.setdefault(place, []).append(call)
    places = sorted(stages, key=lambda place: (_ORDER.index(place.part), place.number))
    counted: set[int] = set()
    rows = [_stage(place, height, stages[place], counted) for place in places]
    return Network(
        height=height,
        width=width,
        passes=model.architecture.samples or 1,
        stages=[row for row in rows if row.parameters or row.multiply_adds or row.part == "encoder"],
    )


def _placed(model: SegmentationModel, shape: tuple[int, ...]) -> Iterator[tuple[_Place, _Call]]:
    """Yield every call of a layer with its place."""
    calls, outputs = _calls(model.network, shape)
    used = _ancestors(calls, outputs["logits"])
    last = max(i for i in used if calls[i].weights and not isinstance(calls[i].layer, keras.Model))
    for i, call in enumerate(calls):
        if isinstance(call.layer, keras.Model):
            yield from ((_Place("encoder", level), inner) for level, inner in _levels(call))
        elif i not in used:
            yield _Place("training"), call
        elif i >= last:
            yield _Place("head"), call
        else:
            yield _Place("decoder", -_stride(call, model, shape)), call


def _levels(encoder: _Call) -> Iterator[tuple[int, _Call]]:
    """Yield the calls inside an encoder, each with the number of the first features that depend on it."""
    calls, outputs = _calls(encoder.layer, encoder.args[0].shape)
    levels: dict[int, int] = {}
    for level, output in enumerate(keras.tree.flatten(outputs)):
        levels = dict.fromkeys(_ancestors(calls, output), level) | levels
    for i, call in enumerate(calls):
        if not isinstance(call.layer, keras.Model):
            yield levels[i], call
        elif len(keras.tree.flatten(call.output)) > 1:  # a model that makes the features
            yield from _levels(call)
        else:
            yield from ((levels[i], inner) for _, inner in _levels(call))


def _calls(network: keras.Model, shape: tuple[int, ...]) -> tuple[list[_Call], Any]:
    """Return the calls of a functional model for images of this shape, in order, and the model's outputs."""
    found: list[_Call] = []

    def call(layer: Any, *args: Any, **options: Any) -> Any:
        found.append(_Call(layer, args, options, layer(*args, **options)))
        return found[-1].output

    same = keras.models.clone_model(
        network,
        input_tensors=keras.Input(batch_shape=shape),
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return found, same.output


def _ancestors(calls: Sequence[_Call], output: keras.KerasTensor) -> set[int]:
    """Return the places of the calls that an output depends on."""
    needed, used = {id(output)}, set()
    for i, call in reversed(list(enumerate(calls))):
        if needed & {id(x) for x in keras.tree.flatten(call.output)}:
            used.add(i)
            needed |= {id(x) for x in keras.tree.flatten((call.args, call.options))}
    return used


def _stride(call: _Call, model: SegmentationModel, image: tuple[int, ...]) -> int:
    """Return the stride of a call's output, at most the encoder's; pooled averages have none of their own."""
    return int(min(2 ** max(0, round(math.log2(image[1] / call.shape[1]))), model.stride))


def _stage(place: _Place, height: int, calls: Sequence[_Call], counted: set[int]) -> NetworkStage:
    """Sum up the calls of a stage; `counted` holds the layers whose parameters an earlier stage has."""
    parameters = 0
    for call in calls:
        if id(call.layer) not in counted:
            counted.add(id(call.layer))
            parameters += sum(math.prod(variable.shape) for variable in call.weights)
    shapes = [call.shape for call in calls if len(call.shape) == 4]
    # What is pooled in a decoder has no stride of its own.
    shape = next((shape for shape in reversed(shapes) if shape[1] * -place.number == height), shapes[-1])
    return NetworkStage(
        part=place.part,
        stride=max(1, round(height / shape[1])),
        height=shape[1],
        width=shape[2],
        channels=shape[3],
        layers=dict(Counter(filter(None, map(_kind, calls)))),
        parameters=parameters,
        multiply_adds=sum(multiply_adds(call.layer, call.args, call.options, call.output) for call in calls),
    )


def _kind(call: _Call) -> str:
    """Return what a layer with weights is called; '' for normalization and for layers without weights."""
    layer = call.layer
    for kind, name in _KINDS.items():
        if isinstance(layer, kind):
            size = "x".join(map(str, getattr(layer, "kernel_size", ())))
            rate = max(getattr(layer, "dilation_rate", (1,)))
            return f"{name} {size}".strip() + (f", rate {rate}" if rate > 1 else "")
    return "" if isinstance(layer, _NORMALIZATIONS) or not call.weights else type(layer).__name__
