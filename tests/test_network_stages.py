"""The description of a network by stage: multiply-adds and parameters against TensorFlow's counts and papers."""

import keras
import pytest
import tensorflow as tf
from networks import build, without_values

from maskline.models.catalogue import NETWORKS
from maskline.models.multiply_adds import _summed, multiply_adds
from maskline.models.stages import _calls, describe_network

# Each of these is made of the layers of another.
ALIKE = {
    "fcn32s", "fcn16s", "bayesian_segnet", "fpn", "panoptic_fpn", "unet_nearest", "unet_pix2pix_nearest", "deeplabv2",
}  # fmt: skip
NAMES = [pytest.param(name, marks=[pytest.mark.slow] * (name == "enet")) for name in sorted(set(NETWORKS) - ALIKE)]
# TensorFlow counts the zeros around the features that a convolution with a rate reads.
WITH_RATES = {"deeplab", "deeplabv3", "deeplabv3_cascade", "deeplabv3plus", "enet", "pspnet"}
COUNTED = {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul", "BatchMatMulV2"}
SIZE = 64


def profiled(model) -> int:
    """Return the multiply-adds of the graph of one image, by TensorFlow's profiler."""
    images = tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)
    graph = tf.function(lambda x: model.network(x)["logits"]).get_concrete_function(images).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(tf.compat.v1.profiler.ProfileOptionBuilder.float_operation())
    found = tf.compat.v1.profiler.profile(graph, cmd="op", options=options.with_empty_output().build())
    operations, total = [found], 0
    while operations:
        node = operations.pop()
        total += node.float_ops if node.name in COUNTED else 0
        operations += node.children
    return total // 2


@pytest.mark.parametrize("name", NAMES)
def test_the_sums_are_those_of_keras_and_of_tensorflows_profiler(name):
    model = build(name)
    network = describe_network(model, SIZE, SIZE)
    assert network.parameters == model.count_params()
    if name not in WITH_RATES:
        assert network.multiply_adds == profiled(model)
    assert {stage.part for stage in network.stages} - {"training"} == {"encoder", "decoder", "head"}
    assert max(stage.stride for stage in network.stages) == model.stride
    head = next(stage for stage in network.stages if stage.part == "head")
    assert (head.stride, head.height, head.width, head.channels) == (1, SIZE, SIZE, 3)


def test_what_training_alone_does_is_apart():
    model = build("pspnet")
    network = describe_network(model, 60, 50)
    assert (network.height, network.width, network.passes) == (64, 56, 1)
    *others, training = network.stages
    assert training.part == "training" and training.multiply_adds > 0
    assert network.multiply_adds == sum(stage.multiply_adds for stage in others)
    assert network.parameters == model.count_params()


def test_samples_are_passes():
    model = build("bayesian_segnet")
    assert describe_network(model, 32, 32).passes == model.architecture.samples == 8


def test_an_encoders_stages_and_a_convolutions_rate_by_hand():
    """The encoder of the tests: 3x3 convolutions to 8 channels; strides 16 and 32 became the rates 2 and 4."""
    stages = [stage for stage in describe_network(build("pspnet"), 64, 64).stages if stage.part == "encoder"]
    assert [(s.stride, s.height, s.channels) for s in stages] == [(2, 32, 8), (4, 16, 8), *[(8, 8, 8)] * 3]
    assert [s.multiply_adds for s in stages] == [32**2 * 9 * 3 * 8, 16**2 * 9 * 8 * 8, *[8**2 * 9 * 8 * 8] * 3]
    assert [s.parameters for s in stages] == [9 * 3 * 8 + 4 * 8, *[9 * 8 * 8 + 4 * 8] * 4]
    assert [next(iter(s.layers)) for s in stages[2:]] == [
        f"convolution 3x3{rate}" for rate in ("", ", rate 2", ", rate 4")
    ]


def test_published_encoders_have_a_stage_for_each_of_their_features():
    """ResNet-50 has 3, 4, 6 and 3 blocks; in SegFormer, attention to fewer keys stays in its stage."""
    expected = {
        "resnet50": ([2, 4, 8, 16, 32], [1, 10, 13, 19, 10], (64, 256, 512, 1024, 2048)),
        "mit_b0": ([4, 8, 16, 32], [17, 17, 17, 15], (32, 64, 160, 256)),
    }
    for encoder, (strides, convolutions, channels) in expected.items():
        with without_values():
            model = build("segformer", encoder)
        stages = [stage for stage in describe_network(model, 64, 64).stages if stage.part == "encoder"]
        assert [stage.stride for stage in stages] == strides
        assert tuple(stage.channels for stage in stages) == channels
        counts = [sum(n for kind, n in stage.layers.items() if "convolution" in kind) for stage in stages]
        assert counts == convolutions


@pytest.mark.parametrize(
    ("application", "published"),
    [
        (keras.applications.MobileNetV2, 300e6),  # Sandler et al., CVPR 2018, table 4
        (keras.applications.ResNet50, 3.86e9),  # with its strides in 1x1 convolutions, as He et al. have them: 3.8e9
        (keras.applications.VGG16, 15.5e9),  # with the dense layers
    ],
)
def test_whole_classifiers_cost_what_is_published(application, published):
    with without_values():
        network = application(weights=None)
    total = sum(multiply_adds(*call) for call in _calls(network, (1, 224, 224, 3))[0])
    assert total == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(
    ("equation", "shapes", "products"),
    [
        ("bij,bjk->bik", [[2, 3, 5], [2, 5, 7]], 5),
        ("aecd,abcd->acbe", [[1, 8, 2, 4], [1, 6, 2, 4]], 4),
        ("...ij,jk->...ik", [[2, 3, 5], [5, 7]], 5),
        ("ih,bhwc->bwic", [[6, 9], [1, 9, 4, 3]], 9),
    ],
)
def test_an_einsum_adds_up_what_its_result_lacks(equation, shapes, products):
    assert _summed(equation, shapes) == products


def test_attention_is_counted():
    layer = keras.layers.MultiHeadAttention(2, 4)
    x = keras.Input(batch_shape=(1, 6, 8))
    output = layer(x, x)
    projections, products = 4 * 6 * 8 * 8, 2 * 6 * 6 * 8
    assert multiply_adds(layer, (x, x), {}, output) == projections + products
