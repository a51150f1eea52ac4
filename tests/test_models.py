"""Every architecture on every encoder it can stand on: shape, gradients, learning, saving, odd sizes, precision."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from maskline.errors import InputError
from maskline.models.encoders import ENCODERS, STRIDES
from maskline.models.files import load_model, save_model
from maskline.models.segmentation import ARCHITECTURES, SegmentationModel
from maskline.params import ENCODERS_OF
from maskline.training.losses import cross_entropy

ROOT = Path(__file__).parents[1]
MOBILENET = ROOT.parent / "shared" / "data" / "weights" / "mobilenet_v2_1.0_224_no_top.weights.h5"
PAIRS = [(architecture, encoder) for architecture, encoders in ENCODERS_OF.items() for encoder in encoders]
NAMES, COLORS = ["ground", "sky", "tree"], ["#336699", "#88ccff", "#227733"]


def build(architecture="unet", encoder="unet", **changes) -> SegmentationModel:
    keras.utils.set_random_seed(3)
    options = {"width": 4, "dropout": 0.0, "freeze_encoder": False, "precision": "float32"} | changes
    return SegmentationModel(architecture, encoder, NAMES, COLORS, **options)


def images(height=64, width=64, count=2):
    return np.random.default_rng(5).integers(0, 256, (count, height, width, 3), np.uint8)


def test_the_registry_holds_what_params_offer():
    assert set(ENCODERS_OF) == set(ARCHITECTURES)
    assert {encoder for _, encoder in PAIRS} == set(ENCODERS) == set(STRIDES)


@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_features_have_the_strides_they_claim(architecture, encoder):
    features = ENCODERS[encoder](4)(np.zeros((1, 64, 96, 3), np.float32))
    assert [(64 // f.shape[1], 96 // f.shape[2]) for f in features] == [(s, s) for s in STRIDES[encoder]]


@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_every_trainable_weight_gets_a_gradient(architecture, encoder):
    model = build(architecture, encoder)
    labels = np.random.default_rng(1).integers(0, 3, (2, 64, 64))
    with tf.GradientTape() as tape:
        loss = model.training_loss(images(), labels, cross_entropy)
    gradients = tape.gradient(loss, model.trainable_variables)
    dead = [v.path for v, g in zip(model.trainable_variables, gradients, strict=True) if g is None or not np.any(g)]
    assert not dead


@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_it_overfits_four_images_and_comes_back_from_disk_the_same(architecture, encoder, tmp_path):
    model = build(architecture, encoder, width=8)
    labels = np.zeros((4, 32, 32), np.int32)
    labels[:, 8:24, 4:20] = 1
    labels[1:3, 2:12, 14:30] = 2
    x = (np.array([[40, 60, 80], [200, 90, 30], [90, 220, 120]])[labels] + images(32, 32, 4) // 8).astype(np.uint8)
    optimizer = keras.optimizers.Adam(0.005)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = model.training_loss(x, labels, cross_entropy)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    for _ in range(60):
        loss = step()
    assert loss < 0.25
    # Batch normalisation's statistics have seen these images alone, so that inference agrees with training.
    predicted = np.argmax(model(x), axis=-1)
    assert np.mean(predicted == labels) > 0.9
    save_model(model, tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), model(x))
    assert (again.class_names, again.class_colors) == (NAMES, COLORS)


@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
@pytest.mark.parametrize("size", [(17, 33), (40, 72), (64, 64)])
def test_any_size_works_and_padding_stays_inside(architecture, encoder, size):
    model = build(architecture, encoder)
    predict = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    logits = predict(images(*size))
    assert logits.shape == (2, *size, 3)
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(model(images(*size)), logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_mixed_precision_keeps_float32_weights_and_logits(architecture, encoder, precision, tmp_path):
    model = build(architecture, encoder, precision=precision)
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    logits = model(images())
    assert logits.dtype == tf.float32
    assert np.isfinite(logits).all()
    assert keras.config.dtype_policy().name == "float32"
    save_model(model, tmp_path / "model.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(images()), logits)


def test_integers_and_floats_are_the_same_image():
    model = build()
    np.testing.assert_array_equal(model(images()), model(images().astype(np.float32)))


def test_dropout_changes_training_and_not_inference():
    model = build(dropout=0.5)
    x = images()
    assert not np.array_equal(model(x, training=True), model(x, training=True))
    np.testing.assert_array_equal(model(x), model(x))


@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_a_frozen_encoder_does_not_move(architecture, encoder):
    model = build(architecture, encoder, freeze_encoder=True)
    inside = {v.path for v in model.network.get_layer(encoder).variables}
    assert inside
    assert not inside & {v.path for v in model.trainable_variables}
    before = [np.array(v) for v in model.network.get_layer(encoder).variables]
    model(images(), training=True)
    for old, new in zip(before, model.network.get_layer(encoder).variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_parameter_counts():
    # The tutorial's network; its encoder alone is keras.applications.MobileNetV2 up to block_16_project.
    pix2pix = build("unet_pix2pix", "mobilenet_v2")
    assert sum(np.prod(v.shape) for v in pix2pix.network.get_layer("mobilenet_v2").variables) == 1_841_984
    assert pix2pix.count_params() == 6_504_227
    # U-Net at the paper's width has 31.0 million weights; batch normalisation replaces biases.
    assert build("unet", "unet", width=64).count_params() == pytest.approx(31.0e6, rel=0.01)


def test_width_is_the_first_levels_channels():
    assert build(width=6).network.get_layer("unet").outputs[0].shape[-1] == 6


def test_saved_bytes_do_not_depend_on_the_process(tmp_path):
    script = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[2] + '/tests']; from test_models import build;"
        "from maskline.models.files import save_model; save_model(build(dropout=0.5), sys.argv[1])"
    )
    for seed in "12":
        command = [sys.executable, "-c", script, tmp_path / f"{seed}.keras", ROOT]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": seed})
    assert (tmp_path / "1.keras").read_bytes() == (tmp_path / "2.keras").read_bytes()


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other"])
def test_a_damaged_model_file_is_refused_by_name(damage, tmp_path):
    path = tmp_path / "model.keras"
    save_model(build(), path)
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(InputError, match=r"model\.keras .*dvc repro"):
        load_model(path)


def test_code_in_a_model_file_is_not_run(tmp_path):
    path = tmp_path / "model.keras"
    with_lambda = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
    with_lambda.save(path)
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.weights.h5"
    keras.applications.MobileNet(input_shape=(32, 32, 3), include_top=False, weights=None).save_weights(path)
    for architecture, encoder in PAIRS:
        with pytest.raises(InputError, match=rf"other\.weights\.h5 does not hold the weights of .*{encoder[:4]}"):
            build(architecture, encoder, encoder_weights=path)


def test_the_encoders_own_weights_come_back(tmp_path):
    path = tmp_path / "encoder.weights.h5"
    trained = ENCODERS["unet"](4)
    for variable in trained.variables:
        variable.assign(variable + 0.25)
    trained.save_weights(path)
    model = build(encoder_weights=path)
    for ours, theirs in zip(model.network.get_layer("unet").variables, trained.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_weights_file_that_leaves_something_out_is_refused(tmp_path):
    path = tmp_path / "encoder.weights.h5"
    ENCODERS["unet"](4).save_weights(path)
    with h5py.File(path, "a") as file:
        values = file["layers/conv2d/vars/0"]
        values[...] = np.full(values.shape, np.nan)
    with pytest.raises(InputError, match="sets no finite"):
        build(encoder_weights=path)


@pytest.mark.skipif(not MOBILENET.exists(), reason="needs the ImageNet weights of MobileNetV2")
def test_imagenet_weights_give_the_features_of_keras_applications():
    model = build("unet_pix2pix", "mobilenet_v2", encoder_weights=MOBILENET)
    reference = keras.applications.MobileNetV2(input_shape=(64, 64, 3), include_top=False, weights=None)
    reference.load_weights(MOBILENET)
    tap = keras.Model(reference.input, reference.get_layer("block_13_expand_relu").output)
    expected = tap(keras.applications.mobilenet_v2.preprocess_input(images().astype(np.float32)))
    ours = model.network.get_layer("mobilenet_v2")(images().astype(np.float32))[3]
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
