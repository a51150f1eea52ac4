"""Every architecture through the model's interface: gradients, learning, sizes, saving, precision, what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from networks import COLORS, DISTINCT, NAMES, build, images, mean_iou, scenes
from refused import refused, run_by, types

from maskline.contracts.classes import ClassInfo
from maskline.contracts.model_info import ModelInfo, Preprocessing, read_keras_info
from maskline.errors import ArtifactError
from maskline.models.catalogue import ENCODERS, NETWORKS, REFINABLE
from maskline.models.encoders import registry as encoders
from maskline.models.encoders.applications import BACKBONES
from maskline.models.files import load_model, save_model
from maskline.models.registry import find_architecture
from maskline.models.segmentation import missing
from maskline.prediction.inference import Inference, predictor
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.training.losses import cross_entropy

ROOT = Path(__file__).parents[1]
# The deep ones without skips are slower to learn; ENet also drops features in each of its many bottlenecks.
STEPS, DROPOUT = {"enet": 180, "convtranspose": 80}, {"enet": 0.01}
FINE = (
    "convtranspose",
    "enet",
    "unet",
    "unet_nearest",
    "segnet",
    "bayesian_segnet",
)  # learn from images of half the size


def test_the_registry_holds_what_params_offer():
    assert {name for network in NETWORKS.values() for name in network.encoders} == set(ENCODERS)
    assert {*encoders._OWN, *BACKBONES} - {"small", "mit_tiny"} == set(ENCODERS)
    assert {*BACKBONES, "vgg16_bn", "vgg19_bn"} == {name for name, known in ENCODERS.items() if known.imagenet}
    for name, network in NETWORKS.items():
        architecture = find_architecture(name, "fpn")
        assert architecture.decoder.__module__ == f"maskline.models.decoders.{network.module}"
        assert (architecture.samples, architecture.encoder_dropout) == (network.samples, network.encoder_dropout)
        assert (architecture.auxiliary_loss is not None) == (network.auxiliary_loss or network.refines)
    for coarse in REFINABLE:
        assert find_architecture("pointrend", coarse).multi_grid == NETWORKS[coarse].multi_grid


def gradients_of(model, x, labels):
    with tf.GradientTape() as tape:
        loss = model.training_loss(x, labels, cross_entropy)
    return tape.gradient(loss, model.trainable_variables)


def unreached(model, gradients):
    """Return the trainable variables that the loss does not reach."""
    return [v.path for v, g in zip(model.trainable_variables, gradients, strict=True) if g is None or not np.any(g)]


def training_step(model, x, labels):
    """Return a step of Adam, a function of its number; one operation per variable is traced in half of Keras's time."""
    moments = [[tf.Variable(tf.zeros(v.shape)) for _ in range(2)] for v in model.trainable_variables]

    @tf.function
    def step(number):
        gradients = gradients_of(model, x, labels)
        for variable, (first, second), gradient in zip(model.trainable_variables, moments, gradients, strict=True):
            if gradient is not None:
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.value.handle, m=first.handle, v=second.handle, grad=gradient, lr=0.01, epsilon=1e-7,
                    beta1=0.9, beta2=0.999, beta1_power=0.9**number, beta2_power=0.999**number,
                )  # fmt: skip
        return gradients

    return step


@pytest.fixture(scope="module", autouse=True)
def two_samples():
    """Bayesian SegNet's passes differ by their number alone; tests/test_architectures.py makes them all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "bayesian_segnet", NETWORKS["bayesian_segnet"]._replace(samples=2))
        yield


# Skips that add and that join, unpooling by indices, adaptive pooling, dilation, points, attention; the others combine
# these.
REPRESENTATIVE = ("unet", "fcn8s", "segnet", "pspnet", "deeplabv3plus", "pointrend", "segformer")
MARKED = [
    pytest.param(name, marks=() if name in REPRESENTATIVE else pytest.mark.slow) for name in (*DISTINCT, "unet_nearest")
]


@pytest.fixture(scope="module", params=MARKED)
def traced(request):
    """A network that has seen four images often, with them and their labels, and the graph of its training step."""
    tf.config.experimental.enable_op_determinism()  # as in the train stage
    model = build(request.param, width=16, dropout=DROPOUT.get(request.param, 0.1))
    x, labels = scenes(32 if request.param in FINE else 64)
    step = training_step(model, x, labels)
    assert not unreached(model, step(tf.constant(1.0)))
    for number in range(2, STEPS.get(request.param, 60) + 1):
        step(tf.constant(float(number)))
    assert step.experimental_get_tracing_count() == 1
    return model, x, labels, step.get_concrete_function(tf.TensorSpec(())).graph


@pytest.fixture(scope="module")
def trained(traced):
    """The network without its graph."""
    return traced[:3]


@pytest.fixture(scope="module")
def predict(trained):
    """The network as a function of images of any size."""
    return tf.function(trained[0], input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])


@pytest.mark.parametrize("architecture", ["unet_pix2pix", "fcn8s", "deeplabv3", "pspnet", "panet", "pointrend"])
def test_every_weight_of_an_imagenet_encoder_gets_a_gradient(architecture):
    model = build(architecture, "mobilenet_v2", width=8)
    assert not unreached(model, gradients_of(model, images(), np.random.default_rng(1).integers(0, 3, (2, 64, 64))))


def test_it_overfits_four_images(trained):
    assert mean_iou(*trained) > 0.9


def test_it_runs_no_operation_that_is_refused_on_a_gpu(traced, predict):
    """In training and prediction; tests/test_gpu_operations.py looks at what is the same for every network."""
    training, prediction = run_by(traced[-1]), run_by(predict.get_concrete_function().graph)
    assert {"Conv2DBackpropFilter", "AssignVariableOp"} <= types(training)
    assert not refused(training | prediction)


def test_it_comes_back_from_disk_the_same(trained, tmp_path):
    model, x, _ = trained
    save_model(model, tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), model(x))
    assert (again.class_names, again.class_colors) == (NAMES, COLORS)
    assert again.get_config() == model.get_config()


def test_the_file_records_the_training_size_and_is_read_without_tensorflow(tmp_path):
    made = Preprocessing(height=48, width=80)
    model = build("deeplabv3", preprocessing=made)
    save_model(model, tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").get_config() == model.get_config()
    assert read_keras_info(tmp_path / "model.keras") == ModelInfo(
        architecture="deeplabv3",
        encoder="small",
        classes=[ClassInfo(name=name, color=color) for name, color in zip(NAMES, COLORS, strict=True)],
        stride=16,
        preprocessing=made,
    )


def test_a_model_without_a_training_size_loads_and_says_what_it_lacks(tmp_path):
    save_model(build(), tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").get_config()["preprocessing"] is None
    with pytest.raises(ArtifactError, match="does not record the size of its training images"):
        read_keras_info(tmp_path / "model.keras")


def symmetric(x, stride):
    """The images as tf.pad mirrors them; those too short for that are first mirrored to half a stride by a loop."""
    for axis in (1, 2):
        while x.shape[axis] < stride // 2:
            missed = min(stride // 2 - x.shape[axis], x.shape[axis])
            x = np.concatenate([x, np.flip(x, axis).take(range(missed), axis)], axis)
    height, width = (-length % stride for length in x.shape[1:3])
    return np.pad(x, [(0, 0), (0, height), (0, width), (0, 0)], "symmetric")


@pytest.fixture(scope="module")
def padded_by():
    """A function that gives what a network of stride 32 or 8 passes on to its layers."""
    models = {32: build("unet", "small"), 8: build("deeplab")}
    for model in models.values():
        model.network = lambda x, training: {"logits": x}

    def padded(stride, x):
        return np.array(models[stride]._outputs(x, training=False)["logits"])

    return padded


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([8, 32]))
def test_padding_mirrors_as_tensorflow_does(padded_by, height, width, stride):
    x = images(height, width, 1)
    np.testing.assert_array_equal(padded_by(stride, x), symmetric(x, stride))


@given(st.integers(1, 10_000), st.sampled_from([8, 16, 32]))
def test_what_is_missing_is_the_negative_remainder(length, stride):
    assert missing(length, stride) == -length % stride


def test_any_size_works_and_padding_stays_inside(trained, predict):
    model = trained[0]
    for size in ((17, 33), (40, 72)):
        logits = predict(images(*size))
        assert logits.shape == (2, *size, 3)
        assert logits.dtype == tf.float32
        np.testing.assert_allclose(model(images(*size)), logits, rtol=1e-3, atol=1e-3)


def test_a_prediction_is_a_distribution_with_its_uncertainty(trained):
    model, x, _ = trained
    probabilities, uncertainty, _ = predictor(KerasRuntime(model), Inference())(x)
    np.testing.assert_allclose(np.sum(probabilities, axis=-1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(np.argmax(probabilities, axis=-1), np.argmax(model(x), axis=-1))
    assert uncertainty.shape == x.shape[:3]
    assert 0 <= np.min(uncertainty) < np.max(uncertainty) <= 1


def test_dropout_changes_training_and_not_inference(trained):
    model, x, _ = trained
    first, second = (model.network(x.astype(np.float32), training=True)["logits"] for _ in range(2))
    assert not np.array_equal(first, second)
    first, second = (model.network(x.astype(np.float32))["logits"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_dilated_network_of_keras_applications_comes_back_from_disk_the_same(tmp_path):
    model = build("pointrend", "mobilenet_v2", coarse="deeplabv3", output_stride=16)
    save_model(model, tmp_path / "model.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(images()), model(images()))


# Each kind of layer in both policies, the other networks in one of them.
KINDS = ("bayesian_segnet", "enet", "pspnet", "pointrend")
MIXED = {name: ("mixed_bfloat16", "mixed_float16")[index % 2] for index, name in enumerate(DISTINCT)}


@pytest.mark.parametrize(
    ("architecture", "precision"),
    [
        *(
            pytest.param(name, policy, marks=pytest.mark.slow if name == "enet" else ())
            for name in KINDS
            for policy in sorted(set(MIXED.values()))
        ),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in MIXED.items() if each[0] not in KINDS),
    ],
)
def test_mixed_precision_keeps_float32_weights_and_logits(architecture, precision, tmp_path):
    model = build(architecture, precision=precision)
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert precision.removeprefix("mixed_") in {layer.compute_dtype for layer in model._flatten_layers()}
    assert keras.config.dtype_policy().name == "float32"
    x = images(32, 32, 1)
    logits = model(x)
    assert logits.dtype == tf.float32
    assert np.isfinite(logits).all()
    assert np.isfinite(model.training_loss(x, np.zeros((1, 32, 32), np.int32), cross_entropy))
    if architecture in KINDS:
        save_model(model, tmp_path / "model.keras")
        np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(x), model(x))


def test_integers_and_floats_are_the_same_image():
    model = build()
    np.testing.assert_array_equal(model(images()), model(images().astype(np.float32)))


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [("unet", "unet"), ("enet", "enet"), ("bayesian_segnet", "vgg16_bn"), ("deeplabv3", "mobilenet_v2")],
)
def test_a_frozen_encoder_does_not_move(architecture, encoder):
    model = build(architecture, encoder, freeze_encoder=True)
    inside = model.network.get_layer(encoder)
    kept = [v for v in inside.variables if "float" in v.dtype]
    assert kept and not {id(v) for v in kept} & {id(v) for v in model.trainable_variables}
    before = [np.array(v) for v in kept]
    with tf.GradientTape() as tape:
        loss = model.training_loss(images(), np.zeros((2, 64, 64), np.int32), cross_entropy)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    for old, new in zip(before, kept, strict=True):
        np.testing.assert_array_equal(old, new)


def test_frozen_normalization_keeps_the_encoders_statistics_and_trains_its_kernels():
    model = build(freeze_normalization=True)
    before = {v.path: np.array(v) for v in model.variables}
    with tf.GradientTape() as tape:
        loss = model.training_loss(images(), np.zeros((2, 64, 64), np.int32), cross_entropy)
    keras.optimizers.SGD(0.1).apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    moved = {v.path: not np.array_equal(v, before[v.path]) for v in model.variables}
    of_encoder = {v.path for v in model.network.get_layer("unet").variables}
    statistics = {path for path in moved if "moving" in path}
    assert of_encoder & statistics and of_encoder - statistics
    assert {path for path, has_moved in moved.items() if not has_moved} == of_encoder & statistics


def test_width_is_the_first_levels_channels():
    assert build(width=6).network.get_layer("unet").outputs[0].shape[-1] == 6


def test_saved_bytes_do_not_depend_on_the_process(tmp_path):
    script = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[2] + '/tests/support']; from networks import build;"
        "from maskline.models.files import save_model;"
        "[save_model(build(name, dropout=0.5), sys.argv[1] + name) for name in ('unet', 'pointrend', 'pspnet')]"
    )
    there = tmp_path / "there"
    there.mkdir()
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    command = [sys.executable, "-c", script, f"{there}/", ROOT]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": seed})
    keras.utils.clear_session()  # layers are named by their number in a process
    for name in ("unet", "pointrend", "pspnet"):
        save_model(build(name, dropout=0.5), tmp_path / name)
        assert (tmp_path / name).read_bytes() == (there / name).read_bytes()


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
    reason = {"missing": "is missing", "other": "holds a Sequential"}.get(damage, r"cannot be loaded \(.+\)")
    with pytest.raises(ArtifactError, match=rf"model\.keras {reason}") as caught:
        load_model(path)
    assert caught.value.path == path


def test_code_in_a_model_file_is_not_run(tmp_path):
    path = tmp_path / "model.keras"
    with_lambda = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
    with_lambda.save(path)
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        load_model(path)
