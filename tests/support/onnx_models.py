"""A real .onnx file as maskline exports it, without TensorFlow: each pixel gets the class of the nearest color."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from maskline.contracts.classes import ClassInfo
from maskline.contracts.fit import Fit
from maskline.contracts.model_info import ExportInfo, ModelInfo, Preprocessing

CLASSES = {"sky": "#1e90ff", "road": "#606060", "tree": "#228b22", "crème": "#fff0c0"}
SHARPNESS = 2000.0  # squared levels; the higher, the less sure is the model


def export_info(
    classes: dict[str, str] = CLASSES,
    size: tuple[int, int] = (32, 48),
    fit: Fit = "stretch",
    any_size: bool = True,
    **changes: object,
) -> ExportInfo:
    """Return the description of a file whose training images had the size (height, width)."""
    model = ModelInfo(
        architecture="fcn",
        encoder="unet",
        classes=[ClassInfo(name=name, color=color) for name, color in classes.items()],
        stride=8,
        preprocessing=Preprocessing(height=size[0], width=size[1], fit=fit),
        any_size=any_size,
    )
    values = {"format": "onnx", "precision": "float32", "source": "0" * 64, "version": "0.0"}
    nothing = {"revision": None, "dvc_lock": None, "score": None}
    return ExportInfo.model_validate({"model": model, **values, **nothing, **changes})


def write_onnx(
    path: Path,
    classes: dict[str, str] = CLASSES,
    size: tuple[int, int] = (32, 48),
    fit: Fit = "stretch",
    any_size: bool = True,
) -> Path:
    """Write a model whose probabilities fall with the squared distance of a pixel to each class's color."""
    colors = np.array([list(bytes.fromhex(color[1:])) for color in classes.values()], np.float32)
    weights = {"kernel": 2 * colors.T / SHARPNESS, "bias": -(colors**2).sum(axis=1) / SHARPNESS}
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["floats", "kernel"], ["products"]),
        helper.make_node("Add", ["products", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    shape = ["N", "H", "W"]
    graph = helper.make_graph(
        nodes,
        "nearest color",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, [*shape, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [*shape, len(classes)])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"maskline": export_info(classes, size, fit, any_size).model_dump_json()})
    onnx.save(model, path)
    return path


def nearest(image: np.ndarray, classes: dict[str, str] = CLASSES) -> np.ndarray:
    """Return the labels that the model gives an image uint8 [H, W, 3] at its own size, uint8 [H, W]."""
    colors = np.array([list(bytes.fromhex(color[1:])) for color in classes.values()], np.int64)
    return ((image[..., None, :].astype(np.int64) - colors) ** 2).sum(axis=-1).argmin(axis=-1).astype(np.uint8)
