"""SegFormer on its Mix Transformer: what the paper states, learning, saving, and the weights of transformers."""

import json
import struct
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from networks import build, images, mean_iou, scenes, without_values
from scipy.special import erf, softmax
from test_models import training_step, unreached

from maskline.contracts.safetensors import read_safetensors
from maskline.datasets.weights import prepare_weights
from maskline.errors import InputError
from maskline.models.decoders.segformer import segformer
from maskline.models.encoders import mit
from maskline.models.encoders import registry as encoders
from maskline.models.encoders.registry import Options, build_encoder
from maskline.models.files import load_model, save_model
from maskline.models.interface import Features
from maskline.models.layers.dropout import Dropout
from maskline.params.encoder import EncoderParams

# Xie et al., Tables 1 and 6, in millions: of the encoder, and of the network with 150 classes. KerasHub has as many.
PARAMETERS = {
    "mit_b0": (3_319_392, 3_752_694, 3.4, 3.8),
    "mit_b1": (13_151_424, 13_715_798, 13.1, 13.7),
    "mit_b2": (24_196_288, 27_461_974, 24.2, 27.5),
    "mit_b3": (44_072_128, 47_337_814, 44.0, 47.3),
    "mit_b4": (60_842_688, 64_108_374, 60.8, 64.1),
    "mit_b5": (81_443_008, 84_708_694, 81.4, 84.7),
}


@pytest.fixture(scope="module", autouse=True)
def tiny():
    """A Mix Transformer of few channels and blocks, `mit_tiny`, because that of the paper takes long to trace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mit._SIZES, "mit_tiny", mit._Size((8, 16, 20, 32), (1, 1, 2, 1)))
        patch.setitem(encoders._OWN, "mit_tiny", encoders._Own(partial(encoders._mit, "mit_tiny"), mit.STRIDES))
        yield


@pytest.fixture(scope="module")
def encoder():
    """The tiny Mix Transformer, whose scales, offsets and biases are noise too."""
    keras.utils.set_random_seed(0)
    built = build_encoder("mit_tiny", Options())
    random = np.random.default_rng(0)
    for variable in built.trainable_variables:
        if variable.name in ("gamma", "beta", "bias"):
            variable.assign(variable + random.normal(0, 0.3, variable.shape))
    return built


def count(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n > "mit_b0" else ()) for n in PARAMETERS])
def test_parameter_counts(name):
    with without_values():
        encoder = mit.encoder(name)
        inputs = [keras.Input((None, None, level.shape[-1])) for level in encoder.outputs]
        decoder = keras.Model(inputs, segformer(Features(tuple(inputs), mit.STRIDES, name), 150, 64, 0.0).logits)
    ours, whole, of_encoder, of_both = PARAMETERS[name]
    assert (count(encoder), count(encoder) + count(decoder)) == (ours, whole)
    assert abs(ours / 1e6 - of_encoder) < 0.1 and abs(whole / 1e6 - of_both) < 0.1


@pytest.fixture(scope="module")
def trained():
    """A network that has seen four images often, with them and their labels, and its weights without a gradient."""
    model = build("segformer", "mit_tiny", width=16, dropout=0.1)
    x, labels = scenes()
    step = training_step(model, x, labels, rate=0.005)
    missed = unreached(model, step(tf.constant(1.0)))
    for number in range(2, 41):
        step(tf.constant(float(number)))
    return model, x, labels, missed


def test_it_overfits_four_images_with_all_its_weights(trained):
    model, x, labels, missed = trained
    assert not missed
    assert mean_iou(model, x, labels) > 0.9


def test_it_comes_back_from_disk_the_same_for_any_size(trained, tmp_path):
    save_model(trained[0], tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    for size in ((64, 64), (17, 40)):
        logits = trained[0](images(*size))
        assert logits.shape == (2, *size, 3) and logits.dtype == tf.float32
        np.testing.assert_array_equal(again(images(*size)), logits)


def test_mixed_precision_keeps_float32_weights_and_logits():
    model = build("segformer", "mit_tiny", precision="mixed_float16")
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    logits = model(images(32, 32, 1))
    assert logits.dtype == tf.float32 and np.isfinite(logits).all()


def test_images_are_standardized_as_the_weights_expect(encoder):
    pixels = images(32, 32).astype(np.float32)
    (rescaling,) = (layer for layer in encoder.layers if isinstance(layer, layers.Rescaling))
    expected = (pixels / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(keras.Model(encoder.input, rescaling.output)(pixels), expected, rtol=1e-4, atol=1e-5)


def test_more_of_the_deeper_blocks_residuals_are_dropped_and_for_whole_images(encoder):
    dropouts = [layer for layer in encoder.layers if isinstance(layer, Dropout)]
    expected = np.linspace(0, 0.1, 5).repeat(2)[2:]  # twice in each block but for the first
    np.testing.assert_allclose([layer.rate for layer in dropouts], expected)
    dropped = Dropout.from_config(dropouts[-1].get_config() | {"rate": 0.5, "seed": 1})
    kept = np.array(dropped(np.ones((64, 2, 2, 3), np.float32), training=True)).reshape(64, -1)
    assert {tuple(row) for row in kept} == {(0.0,) * 12, (2.0,) * 12}


# A block stated again


def normalized(x, layer):
    gamma, beta = (np.array(weight, np.float64) for weight in layer.get_weights())
    centered = x - x.mean(-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(-1, keepdims=True) + layer.epsilon) * gamma + beta


def linear(x, layer):
    kernel, bias = (np.array(weight, np.float64) for weight in layer.get_weights())
    return x @ kernel[0, 0] + bias


def reduced(x, layer):
    kernel, bias = (np.array(weight, np.float64) for weight in layer.get_weights())
    size = len(kernel)
    parts = x.reshape(x.shape[0] // size, size, x.shape[1] // size, size, -1)
    return np.einsum("hiwjc,ijco->hwo", parts, kernel) + bias


def depthwise(x, layer):
    kernel, bias = (np.array(weight, np.float64) for weight in layer.get_weights())
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((1, 1), (1, 1), (0, 0))), (3, 3), axis=(0, 1))
    return np.einsum("hwcij,ijc->hwc", windows, kernel[..., 0]) + bias


def block(x, layer_of, heads):
    """Attention to fewer keys, then Mix-FFN, in float64 without TensorFlow."""
    part = normalized(x, layer_of("layer_norm_1"))
    keys = normalized(reduced(part, layer_of("attention.self.sr")), layer_of("attention.self.layer_norm"))
    query, key, value = (
        linear(of, layer_of(f"attention.self.{name}")).reshape(-1, heads, x.shape[-1] // heads)
        for of, name in ((part, "query"), (keys, "key"), (keys, "value"))
    )
    weights = softmax(np.einsum("qhc,khc->hqk", query, key) / np.sqrt(query.shape[-1]), axis=-1)
    means = np.einsum("hqk,khc->qhc", weights, value).reshape(x.shape)
    x = x + linear(means, layer_of("attention.output.dense"))
    part = depthwise(
        linear(normalized(x, layer_of("layer_norm_2")), layer_of("mlp.dense1")), layer_of("mlp.dwconv.dwconv")
    )
    return x + linear(part * (1 + erf(part / np.sqrt(2))) / 2, layer_of("mlp.dense2"))


def test_a_block_is_its_plain_statement(encoder):
    """The second block of the third stage: five heads, and keys of half the rows and columns."""
    added = [layer for layer in encoder.layers if isinstance(layer, layers.Add)]
    before, after = added[5], added[7]  # a block has two, and this one is the fourth
    outputs = keras.Model(encoder.input, [before.output, after.output])(images(64, 96, 1).astype(np.float32))
    x, expected = (np.array(output[0], np.float64) for output in outputs)
    found = block(x, lambda name: encoder.get_layer(f"block.2.1.{name}"), 5)
    np.testing.assert_allclose(expected, found, rtol=1e-4, atol=1e-4 * np.abs(found).max())


# Weights of transformers


def tensors_of(encoder, prefix="segformer.encoder."):
    """Return the tensors that PyTorch has for an encoder, by their names in transformers."""
    tensors = {f"{prefix and 'classifier'}.weight": np.zeros((2, 3), np.float32)} if prefix else {}
    for layer in encoder.layers:
        for name, variable in zip(("weight", "bias"), layer.trainable_variables, strict=False):
            value = np.array(variable)
            if isinstance(layer, layers.DepthwiseConv2D) and value.ndim == 4:
                value = value.transpose(2, 3, 0, 1)
            elif value.ndim == 4:
                value = value.transpose(3, 2, 0, 1)
                linear = layer.kernel_size == (1, 1)
                value = value[:, :, 0, 0] if linear else value
            tensors[f"{prefix}{layer.name}.{name}"] = value
    return tensors


def write_safetensors(path, tensors):
    """Write the format as its specification states it."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        dtype = {"float32": "F32", "float16": "F16", "int64": "I64"}[value.dtype.name]
        content = value.tobytes()
        header[name] = {"dtype": dtype, "shape": value.shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.fixture(scope="module")
def file(encoder, tmp_path_factory):
    return write_safetensors(tmp_path_factory.mktemp("weights") / "model.safetensors", tensors_of(encoder))


def test_the_weights_of_transformers_become_the_encoders(encoder, file, tmp_path):
    prepare_weights(EncoderParams(encoder="mit_tiny", encoder_weights=str(file)), tmp_path / "weights")
    loaded = build_encoder("mit_tiny", Options(weights=tmp_path / "weights" / "encoder.safetensors"))
    for own, expected in zip(loaded.trainable_variables, encoder.trainable_variables, strict=True):
        np.testing.assert_array_equal(own, expected)


def without(tensors, name):
    del tensors[f"segformer.encoder.{name}"]


def renamed(tensors, name):
    tensors[f"segformer.encoder.{name}".replace(".2.1.", ".2.2.")] = tensors[f"segformer.encoder.{name}"]


def cut(tensors, name):
    tensors[f"segformer.encoder.{name}"] = tensors[f"segformer.encoder.{name}"][1:]


@pytest.mark.parametrize(("harm", "reason"), [(without, "lacks"), (renamed, "also has"), (cut, "has the shape")])
def test_weights_of_another_network_are_refused(harm, reason, encoder, tmp_path):
    tensors = tensors_of(encoder)
    harm(tensors, "block.2.1.mlp.dense1.bias")
    path = write_safetensors(tmp_path / "model.safetensors", tensors)
    with pytest.raises(InputError, match=rf"model\.safetensors does not contain the weights of mit_tiny \(.*{reason}"):
        build_encoder("mit_tiny", Options(weights=path))


def test_a_file_that_is_not_whole_is_refused(tmp_path):
    path = write_safetensors(tmp_path / "model.safetensors", {"a": np.arange(6, dtype=np.float32).reshape(2, 3)})
    np.testing.assert_array_equal(read_safetensors(path)["a"], [[0, 1, 2], [3, 4, 5]])
    whole = path.read_bytes()
    broken = [whole[:length] for length in range(0, len(whole), 5)]
    for content in (*broken, b"\xff" * 40, struct.pack("<Q", 2) + b"[]", whole.replace(b"F32", b"I64")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.safetensors is not a complete safetensors file"):
            prepare_weights(EncoderParams(encoder="mit_tiny", encoder_weights=str(path)), tmp_path / "weights")
