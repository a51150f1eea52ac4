"""The quantization of ONNX files to int8: per channel, with ranges calibrated on training images."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from maskline.contracts.model_info import ExportInfo
from maskline.export.formats.converting import converting
from maskline.export.formats.onnx import write_described
from maskline.prediction.runtimes.engines import load_engine


def quantize_onnx(source: Path, path: Path, info: ExportInfo, batches: Iterable[np.ndarray]) -> None:
    """Write an .onnx file with 8-bit weights and activations; input and outputs stay as they are.

    Args:
        source: a float32 file of `write_onnx`.
        path: the file to write.
        info: what the new file says about itself.
        batches: training images uint8 [B, H, W, 3], as in the shards.

    Raises:
        InputError: onnxruntime or onnx is not installed, or refuses the network.
    """
    onnx = load_engine("onnx", path)
    quantization = load_engine("onnxruntime.quantization", path)
    shape_inference = load_engine("onnxruntime.quantization.shape_inference", path)
    with (
        tempfile.TemporaryDirectory() as folder,
        converting(info.model.architecture, "int8", "export it without --int8"),
    ):
        fused, quantized = Path(folder) / "fused.onnx", Path(folder) / "quantized.onnx"
        # Batch normalization must be part of the convolutions before these are quantized.
        shape_inference.quant_pre_process(source, fused, skip_symbolic_shape=True)
        quantization.quantize_static(
            fused,
            quantized,
            _Calibration(batches),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            # The product of an unsigned and a signed integer overflows on processors with AVX2 but without VNNI.
            weight_type=quantization.QuantType.QUInt8,
        )
        proto = onnx.load(quantized)
    write_described(proto, path, info)


class _Calibration:
    """What ONNX Runtime reads calibration images from."""

    def __init__(self, batches: Iterable[np.ndarray]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch}
