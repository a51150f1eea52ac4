"""Every encoder: strides, dilation, normalisation and weights; and every decoder on every encoder it can stand on."""

import contextlib
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.applications import imagenet_utils
from networks import share_values, without_values
from pydantic import ValidationError

from maskline.errors import InputError
from maskline.models.catalogue import ENCODERS, NETWORKS
from maskline.models.decoders.pointrend import pointrend
from maskline.models.encoders.applications import BACKBONES
from maskline.models.encoders.dilation import dilated
from maskline.models.encoders.registry import Options, build_encoder, strides
from maskline.models.interface import Architecture, Features
from maskline.models.registry import find_architecture
from maskline.params.model import ModelParams

ROOT = Path(__file__).parents[1]
MOBILENET = ROOT.parent / "shared" / "data" / "weights" / "mobilenet_v2_1.0_224_no_top.weights.h5"
needs_imagenet = pytest.mark.skipif(not MOBILENET.exists(), reason="needs the ImageNet weights of MobileNetV2")
CLASSES = 3
AT_16 = ("mobilenet_v2", "resnet50", "vgg16", "xception")  # the others are dilated to 8 alone, to save time


def picture(height: int = 64, width: int = 64) -> np.ndarray:
    """Smooth noise in 0..255, float32 [1, height, width, 3]."""
    coarse = np.random.default_rng(0).normal(size=(1, height // 8, width // 8, 3)) * 60 + 120
    return np.clip(coarse.repeat(8, 1).repeat(8, 2), 0, 255).astype(np.float32)


def with_values_of(other: keras.Model, name: str, options: Options) -> keras.Model:
    with without_values():
        built = build_encoder(name, options)
    share_values(built, other)
    return built


# The deepest of each family take their time, and share the code of a smaller one.
DEEPEST = ("resnet101", "resnet152", "vgg19", "vgg19_bn", "mit_b1")
# These only have more blocks than mit_b1; tests/test_segformer.py counts the weights of each.
REPEATING = ("mit_b2", "mit_b3", "mit_b4", "mit_b5")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in DEEPEST else ())
        for name in ENCODERS
        if name not in REPEATING
    ],
)
def encoder(request):
    """An encoder's name, its networks and their features of one image, by output stride."""
    name = request.param
    keras.utils.set_random_seed(0)
    built = {32: build_encoder(name, Options(width=4))}
    if name in BACKBONES:
        for stride in (16, 8) if name in AT_16 else (8,):
            built[stride] = with_values_of(built[32], name, Options(output_stride=stride))
    return name, built, {stride: model(picture(64, 96)) for stride, model in built.items()}


def test_features_have_the_strides_they_claim(encoder):
    name, _, features = encoder
    for output_stride, levels in features.items():
        claimed = strides(name, output_stride)
        assert [(64 // f.shape[1], 96 // f.shape[2]) for f in levels] == [(s, s) for s in claimed]
        assert max(claimed) <= output_stride
        assert all(np.isfinite(f).all() and np.std(f) > 0 for f in levels)


@pytest.fixture(scope="module")
def decoded_shapes():
    """The features' shapes, by output stride, of the encoders whose decoders were all tried."""
    return []


@pytest.mark.slow
def test_every_decoder_that_params_offer_works(encoder, decoded_shapes):
    name, _, features = encoder
    shapes = {stride: [tuple(level.shape) for level in levels] for stride, levels in features.items()}
    if any(shapes.items() <= others.items() for others in decoded_shapes):
        return  # decoders know an encoder by these alone
    tried = set()
    for architecture, network in NETWORKS.items():
        if name not in network.encoders or network.refines:
            continue
        for stride in set(network.output_strides) & set(features):
            inputs = Features(tuple(features[stride]), strides(name, stride)), CLASSES, 4, 0.1
            inner = []
            plain = keeping(find_architecture(architecture, ""), inner)
            if network.refinable and name in NETWORKS["pointrend"].encoders:
                refined = pointrend(plain).decoder(*inputs)
                assert refined.logits.shape == (1, 64, 96, CLASSES) and refined.stride == 1
                assert np.isfinite(refined.logits).all()
                tried.add("pointrend")
            else:
                plain.decoder(*inputs)
            (decoded,) = inner
            assert decoded.logits.shape == (1, 64 // decoded.stride, 96 // decoded.stride, CLASSES), architecture
            assert decoded.logits.dtype == tf.float32
            assert np.isfinite(decoded.logits).all() and np.std(decoded.logits) > 0
            tried.add(architecture)
    assert tried == {architecture for architecture, network in NETWORKS.items() if name in network.encoders}
    decoded_shapes.append(shapes)


def keeping(architecture: Architecture, inner: list) -> Architecture:
    """Return the architecture with a decoder that puts what it returns into a list too."""

    def decoder(*arguments):
        inner.append(architecture.decoder(*arguments))
        return inner[-1]

    return architecture._replace(decoder=decoder)


def test_dilation_gives_the_same_features_more_densely(encoder):
    """A trous: with the same weights, the features in between are new and the others stay."""
    name, built, _ = encoder
    if len(built) == 1:
        pytest.skip("is no network of keras.applications, which alone are dilated")
    wide = picture(192, 192)
    before = built[32](wide)
    for output_stride in set(built) - {32}:
        after = built[output_stride](wide)
        # VGG's and DenseNet's later poolings see other windows, as in DeepLab.
        exact = [
            level
            for level in range(len(before))
            if strides(name)[level] <= 32 and not pooled(name, level, output_stride)
        ]
        assert len(exact) >= len(before) - (2 if name.startswith("vgg") else 1)
        for level in exact:
            assert far_off(np.array(before[level]), np.array(after[level])) < TOLERANCE.get(name, 1e-4)


# Squeeze-and-excitation pools the border too; Xception's poolings of 3x3 see a dilated window.
TOLERANCE = {"efficientnet_b0": 5e-3, "efficientnet_v2_b0": 2e-2, "xception": 2e-2}


def pooled(name, level, output_stride):
    if name.startswith("vgg"):
        return strides(name)[level] > output_stride
    return name.startswith("densenet") and strides(name)[level] == 32 and output_stride == 8


def test_dense_max_pooling_is_centered():
    """The features of a picture and of its mirror image are mirror images."""
    image = keras.Input((None, None, 2))
    x = image
    for _ in range(5):
        x = keras.layers.MaxPooling2D()(x)
    network = dilated(keras.Model(image, x), 8)
    values = np.random.default_rng(0).random((1, 64, 64, 2), np.float32)
    np.testing.assert_array_equal(network(values)[:, ::-1, ::-1], network(values[:, ::-1, ::-1]))


def far_off(before, after):
    """Return the largest difference in the middle, over the largest feature, at the shift that fits best."""
    factor, size = after.shape[1] // before.shape[1], before.shape[1]
    middle = slice(size // 2 - max(1, size // 8), size // 2 + max(1, size // 8))
    shifted = (after[:, i::factor, i::factor] for i in range(factor))
    return min(np.abs(a - before)[:, middle, middle].max() for a in shifted) / np.abs(before).max()


def rates(model: keras.Model) -> dict[str, int]:
    return {
        layer.name: layer.dilation_rate[0]
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Conv2D) and max(layer.kernel_size) > 1
    }


LAST = [f"conv5_block{block}_2_conv" for block in (1, 2, 3)]


def test_multi_grid_multiplies_the_rates_of_the_last_stage():
    keras.utils.set_random_seed(0)
    plain = build_encoder("resnet50", Options(output_stride=16))
    with_grid = with_values_of(plain, "resnet50", Options(output_stride=16, multi_grid=(1, 2, 4)))
    ours, without = rates(with_grid), rates(plain)
    assert [without.pop(name) for name in LAST] == [2, 2, 2]
    assert [ours.pop(name) for name in LAST] == [2, 4, 8]
    assert ours == without
    grid, single = with_grid(picture()), plain(picture())
    np.testing.assert_array_equal(grid[-2], single[-2])
    assert not np.allclose(grid[-1], single[-1], rtol=1e-2)


def test_multi_grid_at_output_stride_8():
    with without_values():
        ours = rates(build_encoder("resnet50", Options(output_stride=8, multi_grid=(1, 2, 4))))
    assert [ours[name] for name in LAST] == [4, 8, 16]


MODE = {"mobilenet_v2": "tf", "xception": "tf", "densenet121": "torch"} | dict.fromkeys(
    ("resnet50", "resnet101", "resnet152", "vgg16", "vgg19", "vgg16_bn", "vgg19_bn"), "caffe"
)


def first_convolution(model: keras.Model) -> keras.Model:
    """Return the model from images to what enters the first convolution, or the padding before it."""
    inner = next((layer for layer in model.layers if isinstance(layer, keras.Model)), None)
    if inner is not None:
        return keras.Model(model.input, inner._inbound_nodes[-1].arguments.args[0])
    conv = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    return keras.Model(model.input, conv.input)


def test_images_are_normalised_as_the_weights_expect(encoder):
    name, built, _ = encoder
    if name not in MODE:
        pytest.skip("has no ImageNet weights, or normalises inside")
    pixels = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    expected = imagenet_utils.preprocess_input(pixels.copy(), data_format="channels_last", mode=MODE[name])
    for model in built.values():
        np.testing.assert_allclose(first_convolution(model)(pixels), expected, rtol=1e-4, atol=1e-4)


def test_the_modes_are_those_of_keras_applications():
    pixels = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3)).astype(np.float32)
    modules = {"mobilenet_v2": "mobilenet_v2", "xception": "xception", "densenet121": "densenet", "vgg19": "vgg19"}
    modules |= {"resnet50": "resnet", "vgg16": "vgg16"}
    for name, module in modules.items():
        theirs = getattr(keras.applications, module).preprocess_input(pixels.copy())
        np.testing.assert_array_equal(
            imagenet_utils.preprocess_input(pixels.copy(), data_format="channels_last", mode=MODE[name]), theirs
        )


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_v2_b0"])
def test_efficientnets_are_those_that_keras_builds_for_its_imagenet_weights(name, monkeypatch):
    """Keras adds a step to EfficientNetB0 only for them; the file is stood in for by the network's own weights."""
    ours = build_encoder(name, Options())
    with contextlib.ExitStack() as stack:
        module = __import__(BACKBONES[name].build.__module__, fromlist=["x"])
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(module.file_utils, "get_file", lambda *a, **k: "none")
        monkeypatch.setattr(keras.Model, "load_weights", lambda *a, **k: None)
        with without_values():
            theirs = BACKBONES[name].build(include_top=False, weights="imagenet", input_shape=(None, None, 3))
    share_values(theirs, ours)
    tap = keras.Model(theirs.input, [theirs.get_layer(layer).output for layer in BACKBONES[name].features])
    for own, expected in zip(ours(picture()), tap(picture()), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)


def values(architecture: str, encoder: str, **changes) -> dict:
    return {
        "architecture": architecture,
        "encoder": encoder,
        "encoder_weights": "none",
        "start_from": "none",
        "freeze_encoder": False,
        "freeze_normalization": False,
        "output_stride": None,
        "coarse": "fpn",
        "width": 16,
        "dropout": 0.1,
    } | changes


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_pair_that_does_not_work_is_refused_with_those_that_do(architecture):
    for name in ENCODERS:
        if name in NETWORKS[architecture].encoders:
            ModelParams.model_validate(values(architecture, name))
            continue
        with pytest.raises(ValidationError) as caught:
            ModelParams.model_validate(values(architecture, name))
        works = " or ".join(NETWORKS[architecture].encoders)
        assert f"encoder must be {works} for {architecture}. Received: {name!r}" in str(caught.value)


@pytest.fixture(scope="module")
def imagenet_features():
    """Those of MobileNetV2 as keras.applications has it."""
    reference = keras.applications.MobileNetV2(input_shape=(192, 192, 3), include_top=False, weights=None)
    reference.load_weights(MOBILENET)
    tap = keras.Model(
        reference.input, [reference.get_layer(layer).output for layer in BACKBONES["mobilenet_v2"].features]
    )
    return tap(keras.applications.mobilenet_v2.preprocess_input(picture(192, 192)))


@needs_imagenet
@pytest.mark.parametrize("output_stride", [32, 16])
def test_imagenet_weights_give_the_features_of_keras_applications(output_stride, imagenet_features):
    encoder = build_encoder("mobilenet_v2", Options(weights=MOBILENET, output_stride=output_stride))
    ours = encoder(picture(192, 192))
    for level, (own, theirs) in enumerate(zip(ours, imagenet_features, strict=True)):
        if level < 4 or output_stride == 32:
            np.testing.assert_allclose(own, theirs, rtol=1e-4, atol=1e-4)
        else:
            assert far_off(np.array(theirs), np.array(own)) < 1e-4


@pytest.fixture(scope="module")
def other_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "other.weights.h5"
    keras.applications.MobileNet(input_shape=(32, 32, 3), include_top=False, weights=None).save_weights(path)
    return path


@pytest.mark.parametrize("name", ["unet", "enet", "mobilenet_v2", "vgg16_bn"])
def test_weights_of_another_network_are_refused(name, other_file):
    with pytest.raises(InputError, match=rf"other\.weights\.h5 does not contain the weights of {name[:5]}"):
        build_encoder(name, Options(weights=other_file))


def test_the_encoders_own_weights_come_back(tmp_path):
    path = tmp_path / "encoder.weights.h5"
    trained = build_encoder("unet", Options(width=4))
    for variable in trained.variables:
        variable.assign(variable + 0.25)
    trained.save_weights(path)
    again = build_encoder("unet", Options(width=4, weights=path))
    for ours, theirs in zip(again.variables, trained.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_weights_file_that_leaves_something_out_is_refused(tmp_path):
    path = tmp_path / "encoder.weights.h5"
    build_encoder("unet", Options(width=4)).save_weights(path)
    with h5py.File(path, "a") as file:
        kernel = file["layers/conv2d/vars/0"]
        kernel[...] = np.full(kernel.shape, np.nan)
    with pytest.raises(InputError, match="has no finite values for"):
        build_encoder("unet", Options(width=4, weights=path))


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    """A file of VGG16's weights, and the network that it is of."""
    keras.utils.set_random_seed(1)
    plain = keras.applications.VGG16(input_shape=(None, None, 3), include_top=False, weights=None)
    for layer in plain.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.bias.assign(np.random.default_rng(2).normal(size=layer.bias.shape) * 20)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.weights.h5"
    plain.save_weights(path)
    return path, plain


def test_segnets_vgg_takes_the_features_over_from_the_plain_one(vgg_file):
    path, plain = vgg_file
    ours = build_encoder("vgg16_bn", Options(weights=path))(picture())
    blocks = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3", "block5_pool")
    tap = keras.Model(plain.input, [plain.get_layer(layer).output for layer in blocks])
    expected = tap(keras.applications.vgg16.preprocess_input(picture()))
    for own, theirs in zip(ours, expected, strict=True):
        # Normalisation divides by sqrt(1 + epsilon), 13 times.
        assert np.abs(own - theirs).max() < 1e-2 * np.abs(theirs).max()


def test_segnets_vgg_takes_over_no_other_width(vgg_file):
    with pytest.raises(InputError, match=r"model\.width must be 64 .*vgg16_bn.*vgg16.*Received: 32"):
        build_encoder("vgg16_bn", Options(width=32, weights=vgg_file[0]))


def test_a_dilated_encoder_loads_the_same_file(vgg_file):
    path, plain = vgg_file
    dense = build_encoder("vgg16", Options(output_stride=8, weights=path))
    for ours, theirs in zip(dense.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_batch_normalisation_follows_small_data_sets(encoder):
    for model in encoder[1].values():
        norms = [n for n in model._flatten_layers() if isinstance(n, keras.layers.BatchNormalization)]
        assert {norm.momentum for norm in norms} <= {0.9}
        assert bool(norms) == ENCODERS[encoder[0]].batch_norm
