"""Exported files give what Keras gives, for every network, format and size, and say what they hold."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx
from ai_edge_litert.interpreter import Interpreter
from networks import DISTINCT, NAMES, build, images

from maskline.contracts.model_info import ExportInfo, Preprocessing, Score, model_info
from maskline.errors import ArtifactError, InputError
from maskline.export.formats.litert import describe_litert, write_litert
from maskline.export.formats.onnx import describe_onnx, write_onnx
from maskline.export.formats.onnx_int8 import quantize_onnx
from maskline.export.formats.saved_model import describe_saved_model, write_saved_model
from maskline.export.graph import in_float32, serving_function, takes_any_size
from maskline.models.catalogue import NETWORKS
from maskline.models.layers.normalization import BatchNormalization
from maskline.prediction.runtimes.opening import open_runtime

HEIGHT, WIDTH = 64, 96  # recorded as the size of the training images
# Batch, height and width: multiples of every stride, no multiples, a batch, and shorter than half a stride.
SIZES = [(1, 128, 128), (1, 96, 160), (1, 100, 75), (2, 64, 64), (1, 5, 40)]

# What a format cannot hold for images of any size, and why. Everything else works in every format.
FIXED = {
    ("bayesian_segnet", "onnx"): "its masks of dropout are constants, which have the size of the features",
    ("bayesian_segnet", "litert"): "its masks of dropout are constants, which have the size of the features",
}
# Rounding grows where maxima decide what is unpooled; the logarithm of a mean of samples is steep near 0.
LIMITS = {"bayesian_segnet": 1e-3, "segnet": 1e-3, "enet": 1e-3}
# Transposed convolutions; adaptive pooling; unpooling by indices; upsampling with fixed weights.
REPRESENTATIVE = ("unet", "pspnet", "segnet", "fcn8s")
# deeplabv2 and deeplabv3_cascade, which are large, have the operations of deeplab and deeplabv3.
EXPORTED = [name for name in DISTINCT if name not in ("deeplabv2", "deeplabv3_cascade")]
MARKED = [pytest.param(name, marks=() if name in REPRESENTATIVE else pytest.mark.slow) for name in EXPORTED]
FORMATS = {
    "onnx": ("model.onnx", write_onnx, describe_onnx),
    "savedmodel": ("model", write_saved_model, describe_saved_model),
    "litert": ("model.tflite", write_litert, describe_litert),
}


@pytest.fixture(scope="module", autouse=True)
def two_samples():
    """Bayesian SegNet's passes differ by their number alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "bayesian_segnet", NETWORKS["bayesian_segnet"]._replace(samples=2))
        yield


def network(name):
    """A network whose normalizations know the statistics of noise, so that logits are as large as in training."""
    model = build(name, dropout=0.1, preprocessing=Preprocessing(height=HEIGHT, width=WIDTH))
    for variable in model.variables:
        if variable.name in ("gamma", "beta"):
            variable.assign(variable + np.random.default_rng(0).normal(0, 0.1, variable.shape))
    for layer in model._flatten_layers():
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.0
    model(images(HEIGHT, WIDTH, 4), training=True)
    return model


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_model_in_mixed_precision_is_exported_in_float32(precision, tmp_path):
    model = build(precision=precision, preprocessing=Preprocessing(height=HEIGHT, width=WIDTH))
    write_onnx(in_float32(model), tmp_path / "model.onnx", described(model, "onnx"))
    batch = images(HEIGHT, WIDTH, 2)
    found = open_runtime(tmp_path / "model.onnx").probabilities(batch)
    assert np.abs(found - model.probabilities(batch).numpy()).max() < 0.05
    assert np.abs(found - in_float32(model).probabilities(batch).numpy()).max() < 1e-5


def described(model, file_format, **changes):
    info = model_info(Path("model.keras"), model.get_config())
    any_size = takes_any_size(model.samples, file_format)
    return ExportInfo(
        model=info.model_copy(update={"any_size": any_size}),
        format=file_format,
        precision="float32",
        source="0" * 64,
        revision="abc",
        dvc_lock=None,
        score=None,
        version="0.1.0",
    ).model_copy(update=changes)


def write(model, folder, file_format, outputs=("probabilities",)):
    name, writer, _ = FORMATS[file_format]
    writer(model, folder / name, described(model, file_format), outputs)
    return folder / name


def runner(path):
    """Return a function from images to the outputs by name, without this project's code."""
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path)
        names = [output.name for output in session.get_outputs()]
        return lambda x: dict(zip(names, session.run(names, {"images": x}), strict=True))
    if path.suffix == ".tflite":
        interpreter = Interpreter(str(path))
        return lambda x: interpreter.get_signature_runner()(images=x)
    loaded = tf.saved_model.load(path / "1")
    return lambda x: {
        name: value.numpy() for name, value in loaded.signatures["serving_default"](images=tf.constant(x)).items()
    }


@pytest.fixture(scope="module", params=MARKED)
def named(request):
    """A network's name, the network, and its logits of each size."""
    model = network(request.param)
    logits = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    return request.param, model, logits


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_network_gives_the_logits_of_keras_in_every_format(named, file_format, tmp_path):
    name, model, logits = named
    run = runner(write(model, tmp_path, file_format, ("logits",)))
    sizes = [(1, HEIGHT, WIDTH), (2, HEIGHT, WIDTH)] if (name, file_format) in FIXED else SIZES
    equal, pixels = 0, 0
    for count, height, width in sizes:
        x = images(height, width, count)
        expected, found = logits(x).numpy(), run(x)["logits"]
        assert found.dtype == np.float32 and found.shape == expected.shape
        largest = np.abs(expected).max()  # of some networks' logits of noise it is 50
        difference = np.abs(found - expected).max()
        print(f"{name:16} {file_format:10} {count}x{height}x{width} {difference:.1e}")
        assert difference <= LIMITS.get(name, 1e-4) * (min(1.0, largest) if largest < 10 else largest / 10)
        equal += np.sum(found.argmax(axis=-1) == expected.argmax(axis=-1))
        pixels += count * height * width
    assert equal >= (0.999 if name in LIMITS else 0.9999) * pixels


def test_no_dropout_is_left_in_the_graph(named):
    name, model, _ = named

    def operations(model):
        size = (None, None) if takes_any_size(model.samples, "onnx") else (HEIGHT, WIDTH)
        serve = serving_function(model, ("logits",), size).get_concrete_function()
        return sorted({operation.type for operation in serve.graph.get_operations()})

    found = operations(model)
    assert not [kind for kind in found if "If" in kind or "Random" in kind or "Assign" in kind]
    if name in REPRESENTATIVE:
        assert found == operations(build(name, preprocessing=Preprocessing(height=HEIGHT, width=WIDTH)))


@pytest.mark.parametrize("file_format", FORMATS)
def test_any_size_is_refused_only_where_the_table_says_so(file_format):
    fixed = {name for name in NETWORKS if not takes_any_size(NETWORKS[name].samples, file_format)}
    assert fixed == {name for name, other in FIXED if other == file_format}


@pytest.fixture(scope="module", params=FORMATS)
def all_outputs(request, tmp_path_factory):
    """A U-Net in one format, with the outputs that users can ask for."""
    model, outputs = network("unet"), ("probabilities", "labels", "confidence")
    return request.param, model, write(model, tmp_path_factory.mktemp("exported"), request.param, outputs)


def test_labels_and_confidence_are_those_of_the_probabilities(all_outputs):
    _, model, path = all_outputs
    x = images(50, 70, 1)
    found = runner(path)(x)
    assert set(found) == {"probabilities", "labels", "confidence"}
    np.testing.assert_allclose(found["probabilities"], model.probabilities(x), atol=1e-5)
    np.testing.assert_array_equal(found["labels"], found["probabilities"].argmax(axis=-1))
    np.testing.assert_array_equal(found["confidence"], found["probabilities"].max(axis=-1))
    assert found["labels"].dtype == np.uint8 and found["confidence"].dtype == np.float32


def test_a_file_says_what_it_holds_and_a_score_is_added_later(all_outputs):
    file_format, model, path = all_outputs
    before = described(model, file_format)
    x = images(HEIGHT, WIDTH, 2)
    assert open_runtime(path).export == before
    probabilities = open_runtime(path).probabilities(x)
    score = Score(test_split="1" * 64, images=3, mean_iou=0.5, iou=dict.fromkeys(NAMES, None))
    FORMATS[file_format][2](path, before.model_copy(update={"score": score}))
    again = open_runtime(path)
    assert again.export.score == score and again.fixed_size is None
    np.testing.assert_array_equal(again.probabilities(x), probabilities)
    FORMATS[file_format][2](path, before)
    assert open_runtime(path).export == before


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    model = network("unet")
    return model, write(model, tmp_path_factory.mktemp("onnx"), "onnx")


def test_an_onnx_file_names_its_axes(onnx_file, tmp_path):
    session = onnxruntime.InferenceSession(onnx_file[1])
    [given], [found] = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["N", "H", "W", 3])
    assert (found.name, found.type, found.shape) == ("probabilities", "tensor(float)", ["N", "H", "W", 3])
    model = network("fcn32s")
    info = described(model, "onnx")
    info = info.model_copy(update={"model": info.model.model_copy(update={"any_size": False})})
    write_onnx(model, tmp_path / "fixed.onnx", info, ("labels",))
    session = onnxruntime.InferenceSession(tmp_path / "fixed.onnx")
    assert session.get_inputs()[0].shape == ["N", HEIGHT, WIDTH, 3]
    assert session.get_outputs()[0].shape == ["N", HEIGHT, WIDTH]


def test_an_onnx_file_holds_the_keys_of_deepness(onnx_file):
    metadata = onnxruntime.InferenceSession(onnx_file[1]).get_modelmeta().custom_metadata_map
    values = {key: json.loads(value) for key, value in metadata.items() if key != "maskline"}
    assert values.pop("class_names") == {str(label): name for label, name in enumerate(NAMES)}
    assert values == {
        "model_type": "Segmentor", "resolution": 100, "tiles_size": 64, "tile_size": 64, "tiles_overlap": 25
    }  # fmt: skip


def test_int8_keeps_the_interface_and_is_smaller(onnx_file, tmp_path):
    model, path = onnx_file
    info = described(model, "onnx", precision="int8")
    quantize_onnx(path, tmp_path / "int8.onnx", info, (images(HEIGHT, WIDTH, 2) for _ in range(3)))
    session, before = onnxruntime.InferenceSession(tmp_path / "int8.onnx"), onnxruntime.InferenceSession(path)
    for ours, theirs in ((session.get_inputs(), before.get_inputs()), (session.get_outputs(), before.get_outputs())):
        assert [(t.name, t.type, t.shape) for t in ours] == [(t.name, t.type, t.shape) for t in theirs]
    runtime = open_runtime(tmp_path / "int8.onnx")
    assert runtime.export == info
    x = images(80, 72, 2)
    agree = np.mean(runtime.probabilities(x).argmax(axis=-1) == np.argmax(model(x), axis=-1))
    assert agree > 0.9
    graph = onnx.load(tmp_path / "int8.onnx").graph
    scales = {tensor.name: tensor.dims for tensor in graph.initializer if tensor.name.endswith("_scale")}
    assert any(list(dims) not in ([], [1]) for dims in scales.values())  # of each channel
    weights = [tensor for tensor in graph.initializer if len(tensor.dims) == 4]
    assert len(weights) > 20 and {tensor.data_type for tensor in weights} == {onnx.TensorProto.UINT8}


def test_an_error_of_the_calibration_images_is_passed_on(onnx_file, tmp_path):
    def batches():
        yield images(HEIGHT, WIDTH, 2)
        raise ArtifactError("shard-00000", "is damaged")

    info = described(onnx_file[0], "onnx", precision="int8")
    with pytest.raises(ArtifactError, match="shard-00000 is damaged"):
        quantize_onnx(onnx_file[1], tmp_path / "int8.onnx", info, batches())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file_format", FORMATS)
def test_converters_are_silent(file_format, tmp_path, capfd):
    write(network("fcn32s"), tmp_path, file_format)
    assert capfd.readouterr() == ("", "")


def fail(error):
    def failing(*_, **__):
        raise error

    return failing


CONVERTERS = {
    "onnx": (tf2onnx.convert, "from_function", "ONNX"),
    "savedmodel": (tf.saved_model, "save", "SavedModel"),
    "litert": (tf.lite.TFLiteConverter, "from_saved_model", "LiteRT"),
}


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_error_of_a_converter_is_a_sentence_and_leaves_nothing(file_format, tmp_path, monkeypatch, capfd):
    model, (owner, name, kind) = network("fcn32s"), CONVERTERS[file_format]
    monkeypatch.setattr(owner, name, fail(ValueError("no such\noperation")))
    with pytest.raises(InputError, match=rf"^fcn32s cannot be converted to {kind} \(no such operation\); .*\.$"):
        write(model, tmp_path, file_format)
    monkeypatch.setattr(owner, name, fail(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write(model, tmp_path, file_format)
    assert not list(tmp_path.iterdir())
    print("still heard")
    assert capfd.readouterr().out == "still heard\n"


@pytest.mark.parametrize(("file_format", "package"), [("onnx", "tf2onnx"), ("litert", "ai_edge_litert")])
def test_a_missing_package_is_named_with_its_remedy(file_format, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs the package {package}, which is missing; .*requirements-export\.txt"):
        write(network("fcn32s"), tmp_path, file_format)
    assert not list(tmp_path.iterdir())
