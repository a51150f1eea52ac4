"""A small ONNX model with the contract of an exported one, whose arithmetic is exact in float32."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 24, 20  # of the training images
NAMES = ["sky", "tree & <b>bush</b>", "a class with a name that is long enough to need several lines", "water"]
COLORS = ["#87ceeb", "#228b22", "#ff8800", "#000080"]
INFO: dict[str, Any] = {
    "model": {
        "architecture": "unet",
        "encoder": "unet",
        "classes": [{"name": name, "color": color} for name, color in zip(NAMES, COLORS, strict=True)],
        "stride": 16,
        "preprocessing": {"height": HEIGHT, "width": WIDTH},
        "any_size": True,
    },
    "format": "onnx",
    "precision": "float32",
    "source": "5" * 64,
    "revision": "c0ffee",
    "dvc_lock": None,
    "score": {"test_split": "7" * 64, "images": 1234, "mean_iou": 0.5678, "iou": dict.fromkeys(NAMES, 0.25)},
    "version": "0.1.0",
}


def write_model(path: Path, info: dict[str, Any] | None = INFO) -> None:
    """Write a model of one 3x3 convolution with weights that are whole numbers, divided by 4096."""
    weights = np.random.default_rng(1).integers(-4, 5, (len(NAMES), 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels_first", "weights"], ["scores"], pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["scores", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["probabilities"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "page",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", "H", "W", len(NAMES)])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.float32(1 / 4096), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    if info is not None:
        helper.set_model_props(model, {"maskline": json.dumps(info)})
    onnx.save(model, path)
