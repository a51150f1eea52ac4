"""Training and validation use no operation without a deterministic kernel on a GPU: their graphs are read, not run."""

import pytest
import tensorflow as tf
from networks import build
from refused import refused, run_by, types
from test_training import params

from maskline.engine import replicas
from maskline.errors import InputError
from maskline.params.train import LossParams
from maskline.training.determinism import choose_determinism, refusals
from maskline.training.losses import named_losses, weighted_sum
from maskline.training.schedule import optimizer, schedule
from maskline.training.trainer import Trainer
from maskline.training.validate import Validator

PRECISIONS = ("mixed_bfloat16", "mixed_float16")


@pytest.fixture(autouse=True, scope="module")
def determinism():
    """Trace as the train stage does: under op determinism, TensorFlow takes other operations for some losses."""
    tf.config.experimental.enable_op_determinism()


class NoImages:
    """A split of 64x64 images that is not read."""

    size = (64, 64)

    def __len__(self):
        return 0


def one(name):
    """Return the function of a loss on its own."""
    config = params(loss=dict.fromkeys(LossParams.model_fields, 0.0) | {name: 1.0})
    return weighted_sum(config.loss.model_dump(), named_losses(config.loss_options, None))


def batch(count):
    """Return the specifications of images and labels."""
    return tf.TensorSpec((count, 64, 64, 3), tf.uint8), tf.TensorSpec((count, 64, 64), tf.uint8)


def traced(architecture, **changes):
    """Return the operations that the gradient of a network's loss and its validation run."""
    model, loss_of = build(architecture, **changes), one("cross_entropy")

    @tf.function
    def gradient(images, labels):
        with tf.GradientTape() as tape:
            loss = model.training_loss(images, labels, loss_of)
        return tape.gradient(loss, model.trainable_variables)

    score = Validator(model, loss_of, NoImages(), 2)._score
    graphs = gradient.get_concrete_function(*batch(2)).graph, score.get_concrete_function(*batch(None)).graph
    return set().union(*map(run_by, graphs))


def step_of(model, precision="float32"):
    """Return the graph of a training step; what it does with the gradients is the same for every network."""
    config = params(precision=precision)
    trainer = Trainer(model, one("cross_entropy"), optimizer(config, schedule(config, 5)), ema=0.9)
    return trainer.graph(2, 64, 64)


@pytest.mark.parametrize("architecture", ["fcn32s", "pointrend"])
def test_no_network_runs_an_operation_that_is_refused(architecture):
    """In training and validation; tests/test_models.py looks at every network."""
    found = traced(architecture)
    assert {"Conv2DBackpropFilter", "ArgMax", "AssignVariableOp"} <= types(found)
    assert not refused(found)


@pytest.mark.parametrize("precision", [pytest.param(PRECISIONS[0], marks=pytest.mark.slow), PRECISIONS[1]])
def test_no_precision_runs_an_operation_that_is_refused(precision):
    assert not refused(run_by(step_of(build("fcn32s", precision=precision), precision)))


@pytest.mark.slow
def test_no_frozen_encoder_runs_an_operation_that_is_refused():
    """Its batch normalization has fixed statistics, and its gradient would be refused."""
    found = traced("unet_pix2pix", encoder="mobilenet_v2", freeze_encoder=True)
    assert "DepthwiseConv2dNative" in types(found)
    assert not refused(found)


def test_no_frozen_normalization_runs_an_operation_that_is_refused():
    """Its statistics are given too, but its gradient is used."""
    assert not refused(run_by(step_of(build("fcn32s", freeze_normalization=True))))


def test_no_step_over_several_workers_runs_an_operation_that_is_refused(monkeypatch):
    """Batch normalization sums over all workers, with a gradient of its own; tracing needs no other worker."""
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    replicas.join(1, 2)
    try:
        found = run_by(step_of(build("fcn32s")))
    finally:
        replicas.join(0, 1)
    assert {"CollectiveReduceV2", "CollectiveGatherV2"} <= types(found)
    assert not refused(found)


@pytest.mark.parametrize("name", LossParams.model_fields)
def test_no_loss_runs_an_operation_that_is_refused(name):
    loss = one(name)

    @tf.function
    def gradient(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    given = tf.TensorSpec((2, 32, 32), tf.uint8), tf.TensorSpec((2, 32, 32, 3), tf.float32)
    found = run_by(gradient.get_concrete_function(*given).graph)
    assert "Mul" in types(found)
    assert not refused(found)


def test_branches_and_loops_are_read_too():
    @tf.function
    def counted(values):
        return tf.cond(tf.reduce_sum(values) > 3, lambda: tf.math.bincount(values), lambda: values)

    graph = counted.get_concrete_function(tf.TensorSpec((None,), tf.int32)).graph
    assert refused(run_by(graph)) == {"DenseBincount"}


MESSAGES = {
    "Determinism is not yet supported in GPU implementation of DenseBincount.\n\t [[{{node b}}]]": "DenseBincount",
    "Determinism is not yet supported for Dilation2DBackpropInput.": "Dilation2DBackpropInput",
    "A deterministic GPU implementation of AdjustContrastv2 is not currently available. [Op:AdjustContrastv2]": (
        "AdjustContrastv2"
    ),
    "Deterministic GPU implementation of CropAndResizeBackpropImage not available.": "CropAndResizeBackpropImage",
    "A deterministic GPU implementation of fused batch-norm backprop, when training is disabled, is not currently "
    "available.": "fused batch-norm backprop, when training is disabled,",
    "The GPU implementation of SoftmaxCrossEntropyWithLogits that would have been executed is not deterministic.": (
        "SoftmaxCrossEntropyWithLogits"
    ),
}


@pytest.mark.parametrize(("message", "operation"), MESSAGES.items())
def test_a_refusal_names_the_operation_and_the_param(message, operation):
    with pytest.raises(InputError) as raised, refusals():
        raise tf.errors.UnimplementedError(None, None, message)
    assert str(raised.value) == (
        f"{operation} has no deterministic kernel on this device; set train.deterministic to false, which is faster, "
        "but another run may then give another model (Received: true)."
    )


def test_other_errors_pass():
    with pytest.raises(tf.errors.ResourceExhaustedError), refusals():
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def test_a_training_that_may_vary_says_so(monkeypatch, capsys):
    enabled = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: enabled.append(True))
    choose_determinism(True)
    assert enabled and not capsys.readouterr().out
    choose_determinism(False)
    assert enabled == [True]
    said = "train: train.deterministic is false, so another run may give another model.\n"
    assert capsys.readouterr().out == said
