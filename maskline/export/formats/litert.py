"""LiteRT files (.tflite): converted by TensorFlow, described in the metadata of the flatbuffer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from maskline.contracts.model_info import ExportInfo
from maskline.export.formats.converting import converting
from maskline.export.formats.saved_model import save_graph
from maskline.export.graph import DEFAULT, Output
from maskline.files.artifacts import write_bytes
from maskline.models.ensemble import AnyModel
from maskline.prediction.runtimes.engines import load_engine

_IDENTIFIER = b"TFL3"
_KEY = b"maskline"


def write_litert(model: AnyModel, path: Path, info: ExportInfo, outputs: Sequence[Output] = DEFAULT) -> None:
    """Write a .tflite file with float32 weights; its signature is serving_default.

    Args:
        model: the model.
        path: the file to write.
        info: what the file says about itself; `info.model` also says which sizes of images it takes.
        outputs: their names.

    Raises:
        InputError: ai-edge-litert is not installed, or the converter refuses the network.
    """
    load_engine("ai_edge_litert", path)
    with (
        tempfile.TemporaryDirectory() as folder,
        converting(info.model.architecture, "LiteRT", "export it with --format onnx or savedmodel"),
    ):
        save_graph(model, Path(folder), outputs, info.model.fixed_size)
        content = tf.lite.TFLiteConverter.from_saved_model(folder, ["serving_default"]).convert()
    write_bytes(path, _described(content, path, info))


def describe_litert(path: Path, info: ExportInfo) -> None:
    """Replace what a .tflite file says about itself."""
    write_bytes(path, _described(path.read_bytes(), path, info))


def _described(content: bytes, path: Path, info: ExportInfo) -> bytes:
    """Return a flatbuffer with the description as its metadata."""
    schema, flatbuffers = load_engine("ai_edge_litert.schema_py_generated", path), load_engine("flatbuffers", path)
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.metadata = [entry for entry in model.metadata or [] if entry.name != _KEY]
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer = _KEY, len(model.buffers)
    buffer.data = list(info.model_dump_json().encode())
    model.metadata.append(entry)
    model.buffers.append(buffer)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())
