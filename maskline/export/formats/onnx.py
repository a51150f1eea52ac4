"""ONNX files: converted by tf2onnx, described for this project's readers and for QGIS's Deepness."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskline.contracts.model_info import ExportInfo, ModelInfo
from maskline.export.formats.converting import converting
from maskline.export.graph import DEFAULT, Output, serving_function
from maskline.files.artifacts import write_bytes
from maskline.models.ensemble import AnyModel
from maskline.prediction.runtimes.engines import load_engine

_OPSET = 17
_RESOLUTION = 100  # centimeters per pixel: Deepness's own default, as images do not record it
_OVERLAP = 25  # percent of a tile


def write_onnx(model: AnyModel, path: Path, info: ExportInfo, outputs: Sequence[Output] = DEFAULT) -> None:
    """Write an .onnx file.

    Args:
        model: the model.
        path: the file to write.
        info: what the file says about itself; `info.model` also says which sizes of images it takes.
        outputs: their names.

    Raises:
        InputError: tf2onnx is not installed, or refuses the network.
    """
    convert = load_engine("tf2onnx", path).convert
    serve = serving_function(model, tuple(outputs), info.model.fixed_size)
    with converting(info.model.architecture, "ONNX", "export it with --format savedmodel"):
        proto, _ = convert.from_function(serve, input_signature=serve.input_signature, opset=_OPSET)
    _name_axes(proto, info.model)
    write_described(proto, path, info)


def describe_onnx(path: Path, info: ExportInfo) -> None:
    """Replace what an .onnx file says about itself."""
    write_described(load_engine("onnx", path).load(path), path, info)


def write_described(proto: Any, path: Path, info: ExportInfo) -> None:
    """Write a model as an .onnx file that says about itself what `info` says."""
    proto.producer_name, proto.producer_version = "maskline", info.version
    del proto.metadata_props[:]
    for key, value in _properties(info).items():
        proto.metadata_props.add(key=key, value=value)
    write_bytes(path, proto.SerializeToString(deterministic=True))


def _properties(info: ExportInfo) -> dict[str, str]:
    """Return JSON by key: `maskline`, and those that QGIS's Deepness reads."""
    made = info.model.preprocessing
    tile = min(made.height, made.width)
    deepness: dict[str, object] = {
        "model_type": "Segmentor",
        "class_names": {str(label): known.name for label, known in enumerate(info.model.classes)},
        "resolution": _RESOLUTION,
        "tiles_size": tile,  # in its documentation
        "tile_size": tile,  # in its code
        "tiles_overlap": _OVERLAP,
    }
    return {"maskline": info.model_dump_json()} | {key: json.dumps(value) for key, value in deepness.items()}


def _name_axes(proto: Any, info: ModelInfo) -> None:
    """Name the axes of inputs and outputs that have no length, and tell the lengths of the others."""
    height, width = info.fixed_size or (None, None)
    for tensor in (*proto.graph.input, *proto.graph.output):
        axes = tensor.type.tensor_type.shape.dim
        for axis, length, name in zip(axes, (None, height, width), "NHW", strict=False):
            axis.Clear()
            if length:
                axis.dim_value = length
            else:
                axis.dim_param = name
        if len(axes) == 4:
            axes[3].Clear()
            axes[3].dim_value = 3 if tensor.name == "images" else len(info.classes)
