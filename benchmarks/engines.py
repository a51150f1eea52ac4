"""The engines that run a model in the benchmarks of prediction, and the model files that they run.

OpenVINO and LiteRT run on images of a single size, at which they are fastest. TensorFlow takes its number of threads
from the environment when it starts.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LOOP = ROOT / "benchmarks/loop.py"
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

from maskline.contracts.classes import ClassInfo  # noqa: E402
from maskline.contracts.model_info import ExportInfo, ModelInfo, Preprocessing  # noqa: E402

Predict = Callable[[np.ndarray], np.ndarray]  # images uint8 [1, H, W, 3] to float32 [1, H, W, C]

NETWORKS: dict[str, Mapping[str, object]] = {
    "U-Net, width 16": {"architecture": "unet", "encoder": "unet", "width": 16},
    "MobileNetV2 U-Net": {"architecture": "unet_pix2pix", "encoder": "mobilenet_v2", "width": 64},
}
CLASSES = [ClassInfo(name=f"class_{label}", color=f"#{label:02x}{255 - 30 * label:02x}80") for label in range(7)]
CALIBRATION_IMAGES = 8


class Engine(NamedTuple):
    """A way to run a model.

    Attributes:
        package: that it needs.
        file: of those that `write_models` writes.
        load: returns the function of images from the path of the file and the number of threads.
    """

    package: str
    file: str
    load: Callable[[Path, int], Predict]


def installed() -> dict[str, Engine]:
    """Return the engines that are installed; name the others."""
    found = {}
    for name, engine in ENGINES.items():
        if importlib.util.find_spec(engine.package):
            found[name] = engine
        else:
            print(f"left out: {name}, because {engine.package} is not installed", file=sys.stderr)
    return found


def _onnx_runtime(path: Path, threads: int) -> Predict:
    from maskline.prediction.runtimes.onnx import OnnxRuntime

    return OnnxRuntime(path, threads).probabilities


def _traced_keras(path: Path, threads: int) -> Predict:
    del threads
    from maskline.prediction.runtimes.keras import open_keras

    return open_keras(path).probabilities


def _model_predict(path: Path, threads: int) -> Predict:
    del threads
    from maskline.models.files import load_model

    model = load_model(path)
    return lambda images: _softmax(model.predict(images, verbose=0))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _openvino(path: Path, threads: int) -> Predict:
    import openvino

    from maskline.contracts.model_info import read_export_info

    core = openvino.Core()
    model = core.read_model(path)
    made = read_export_info(path, model.get_rt_info("framework")["maskline"]).model.preprocessing
    model.reshape([1, made.height, made.width, 3])
    # Its default precision changes labels on processors with bfloat16.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = core.compile_model(model, "CPU", settings)
    return lambda images: compiled(images)["probabilities"]


def _litert(path: Path, threads: int) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path), num_threads=threads).get_signature_runner()
    return lambda images: run(images=images)["probabilities"]


ENGINES = {
    "ONNX Runtime": Engine("onnxruntime", "model.onnx", _onnx_runtime),
    "traced Keras": Engine("tensorflow", "model.keras", _traced_keras),
    "model.predict": Engine("tensorflow", "model.keras", _model_predict),
    "OpenVINO": Engine("openvino", "model.onnx", _openvino),
    "LiteRT": Engine("ai_edge_litert", "model.tflite", _litert),
    "ONNX Runtime, int8": Engine("onnxruntime", "int8.onnx", _onnx_runtime),
}


def write_models(network: str, size: tuple[int, int], folder: Path) -> None:
    """Write an untrained model for all engines that are installed.

    Args:
        network: one of `NETWORKS`.
        size: height and width of its training images.
        folder: to write to.
    """
    from maskline.export.formats.litert import write_litert
    from maskline.export.formats.onnx import write_onnx
    from maskline.export.formats.onnx_int8 import quantize_onnx
    from maskline.models.files import save_model
    from maskline.models.segmentation import SegmentationModel

    config = NETWORKS[network]
    made = Preprocessing(height=size[0], width=size[1])
    names, colors = zip(*((c.name, c.color) for c in CLASSES), strict=True)
    model = SegmentationModel(
        class_names=names,
        class_colors=colors,
        dropout=0.0,
        freeze_encoder=False,
        precision="float32",
        preprocessing=made,
        **config,
    )
    save_model(model, folder / "model.keras")
    files = {engine.file for engine in ENGINES.values() if importlib.util.find_spec(engine.package)}
    if "model.onnx" in files and importlib.util.find_spec("tf2onnx"):
        write_onnx(model, folder / "model.onnx", _info(config, made, model.stride, "onnx"))
        images = np.random.default_rng(0).integers(0, 256, (CALIBRATION_IMAGES, 1, *size, 3), np.uint8)
        int8 = _info(config, made, model.stride, "onnx", precision="int8")
        quantize_onnx(folder / "model.onnx", folder / "int8.onnx", int8, images)
    if "model.tflite" in files:
        write_litert(model, folder / "model.tflite", _info(config, made, model.stride, "litert", any_size=False))


def _info(
    config: Mapping[str, object],
    made: Preprocessing,
    stride: int,
    kind: str,
    precision: str = "float32",
    any_size: bool = True,
) -> ExportInfo:
    network = {name: config[name] for name in ("architecture", "encoder")}
    model = ModelInfo.model_validate(
        network | {"classes": CLASSES, "stride": stride, "preprocessing": made, "any_size": any_size}
    )
    return ExportInfo.model_validate(
        {"model": model, "format": kind, "precision": precision, "source": "0" * 64, "version": "0"}
        | {"revision": None, "dvc_lock": None, "score": None}
    )
