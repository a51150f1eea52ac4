"""What makes each network the one it is named after: each of these would fail for a namesake."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from networks import build, images, scenes, without_values
from scipy.ndimage import map_coordinates

from maskline.models import segmentation
from maskline.models.catalogue import NETWORKS, REFINABLE
from maskline.models.decoders import pointrend
from maskline.models.interface import Features
from maskline.models.layers.dropout import MonteCarloDropout
from maskline.models.layers.resizing import AdaptiveAveragePooling, NearestUpsampling, Upsampling
from maskline.models.layers.unpooling import MaxUnpooling
from maskline.models.registry import find_architecture
from maskline.prediction.inference import Inference, predictor
from maskline.prediction.runtimes.keras import KerasRuntime
from maskline.training.losses import cross_entropy

ROOT = Path(__file__).parents[1]
MOBILENET = ROOT.parent / "shared" / "data" / "weights" / "mobilenet_v2_1.0_224_no_top.weights.h5"
VGG, DEEP, AT_16 = (1, 2, 4, 8, 16, 32), (2, 4, 8, 16, 32), (2, 4, 8, 16, 16)
CHANNELS, CLASSES = 6, 3
SAMPLES = NETWORKS["bayesian_segnet"].samples


def decoder(name, strides=DEEP, width=16, channels=CHANNELS, coarse="fpn", dropout=0.0):
    """A decoder alone, from features of a few channels."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((None, None, channels), name=f"level{level}") for level in range(len(strides))]
    decoded = find_architecture(name, coarse).decoder(Features(tuple(inputs), strides), CLASSES, width, dropout)
    return keras.Model(inputs, {"logits": decoded.logits, **decoded.extras})


def features(strides=DEEP, size=64, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=(1, size // s, size // s, CHANNELS)).astype(np.float32) for s in strides]


def logits(model, inputs):
    return np.array(model(inputs)["logits"])


def of_type(model, kind):
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


def changed_where(model, inputs, level):
    """Return whether logits change when one level of the features does, but for its sign."""
    moved = list(inputs)
    moved[level] = moved[level] + 1.0 + np.abs(moved[level])
    return not np.allclose(logits(model, moved), logits(model, inputs), atol=1e-6)


# SegNet


@pytest.mark.parametrize("level", range(5))
def test_segnet_places_by_indices_and_reads_nothing_else_of_the_encoder(level):
    model, inputs = decoder("segnet", VGG), features(VGG)
    before, flipped = inputs[level], list(inputs)
    windows = before.reshape(1, before.shape[1], before.shape[2] // 2, 2, CHANNELS)
    flipped[level] = windows[:, :, :, ::-1].reshape(before.shape)
    np.testing.assert_array_equal(layers.MaxPooling2D()(flipped[level]), layers.MaxPooling2D()(before))
    assert not np.allclose(logits(model, flipped), logits(model, inputs), atol=1e-5)
    shifted = list(inputs)
    shifted[level] = before * 2 + 5  # the same maxima at the same places
    np.testing.assert_array_equal(logits(model, shifted), logits(model, inputs))


def test_segnet_mirrors_the_convolutions_of_vgg16():
    for name, dropped in (("segnet", 0), ("bayesian_segnet", 3)):
        model = decoder(name, VGG, dropout=0.5)
        assert len(of_type(model, layers.Conv2D)) == 13
        assert len(of_type(model, MaxUnpooling)) == 5
        assert len([d for d in of_type(model, MonteCarloDropout) if d.rate and d.stream]) == dropped


# Bayesian SegNet


@pytest.fixture(scope="module")
def bayesian():
    """A network trained for a short time on noisy scenes."""
    model = build("bayesian_segnet", width=8, dropout=0.3)
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(x, labels):
        with tf.GradientTape() as tape:
            loss = model.training_loss(x, labels, cross_entropy)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    for number in range(60):
        step(*(tf.constant(part) for part in noisy(number)))
    return model


def noisy(seed):
    """Scenes under so much noise that some pixels cannot be told."""
    x, labels = scenes(32)
    noise = np.random.default_rng(seed).normal(size=x.shape) * 60
    return np.clip(x + noise, 0, 255).astype(np.uint8), labels


def test_samples_differ_and_their_mean_is_steadier_than_each(bayesian):
    x = noisy(1000)[0][:1]
    samples = np.stack([bayesian.sampled(x, number) for number in range(1, 13)])
    assert not np.allclose(samples[0], samples[1], atol=1e-3)

    def distance(count):
        means = samples.reshape(-1, count, *samples.shape[1:]).mean(axis=1)
        return np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(means[::2], means[1::2], strict=True)])

    # Independent samples: as the square root of their number.
    assert distance(6) < 0.65 * distance(1)
    assert distance(3) < 0.85 * distance(1)


def test_a_prediction_is_the_mean_of_the_samples_whatever_lies_beside_it(bayesian):
    x = noisy(1000)[0]
    predict = predictor(KerasRuntime(bayesian), Inference())
    probabilities, uncertainty, _ = predict(x[:2])
    alone, alone_uncertainty, _ = predict(x[:1])
    np.testing.assert_allclose(probabilities[:1], alone, atol=1e-5)
    np.testing.assert_allclose(uncertainty[:1], alone_uncertainty, atol=1e-5)
    samples = np.stack([bayesian.sampled(x[:1], number) for number in range(1, SAMPLES + 1)]).astype(np.float64)
    np.testing.assert_allclose(alone, samples.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(alone_uncertainty, samples.var(axis=0).sum(axis=-1) * 3 / 2, atol=1e-5)
    # Again the same, for nothing is drawn at random.
    traced = tf.function(bayesian)  # as in the runtime; alone, operations round in other places
    np.testing.assert_allclose(np.exp(traced(x[:1])), alone, rtol=1e-5)


def test_uncertainty_is_higher_where_the_prediction_is_wrong(bayesian):
    x, labels = (np.concatenate(parts) for parts in zip(*map(noisy, (1000, 2000, 3000)), strict=True))
    probabilities, uncertainty = (np.array(part) for part in predictor(KerasRuntime(bayesian), Inference())(x)[:2])
    wrong = probabilities.argmax(axis=-1) != labels
    assert 0.005 < wrong.mean() < 0.5
    assert uncertainty[wrong].mean() > 1.3 * uncertainty[~wrong].mean()


# FCN


@pytest.mark.parametrize(
    ("name", "strides", "read"),
    [
        ("fcn32s", DEEP, {32}),
        ("fcn16s", DEEP, {16, 32}),
        ("fcn8s", DEEP, {8, 16, 32}),
        # VGG's features stand before its poolings, of which FCN reads the results.
        ("fcn16s", VGG, {8, 32}),
        ("fcn8s", VGG, {4, 8, 32}),
    ],
)
def test_fcn_sums_the_scores_of_its_strides(name, strides, read):
    model, inputs = decoder(name, strides), features(strides)
    assert {stride for level, stride in enumerate(strides) if changed_where(model, inputs, level)} == read
    assert not of_type(model, layers.Concatenate)


def test_fcn_upsamples_by_bilinear_kernels_of_which_the_last_stays():
    model = decoder("fcn8s")
    ups = of_type(model, layers.Conv2DTranspose)
    assert [(up.strides[0], up.trainable) for up in ups] == [(2, True), (2, True), (8, False)]
    size = 12
    ramp = np.arange(size, dtype=np.float32)
    plane = np.stack([ramp[:, None] + 0 * ramp, 0 * ramp[:, None] + ramp, ramp[:, None] - 2 * ramp], axis=-1)[None]
    for up in ups:
        factor = up.strides[0]
        fine = (np.arange(size * factor) + 0.5) / factor - 0.5
        expected = np.stack([fine[:, None] + 0 * fine, 0 * fine[:, None] + fine, fine[:, None] - 2 * fine], axis=-1)[
            None
        ]
        inside = slice(factor, -factor)
        np.testing.assert_allclose(np.array(up(plane))[:, inside, inside], expected[:, inside, inside], atol=1e-4)


def test_fcn_on_vgg_has_the_hidden_layers_of_its_classifier():
    with_hidden, without = (
        {layer.kernel_size[0]: layer.filters for layer in of_type(decoder("fcn32s", strides), layers.Conv2D)}
        for strides in (VGG, DEEP)
    )
    assert with_hidden[7] == 4096 * 16 // 64
    assert 7 not in without


# DeepLab


def moves_far_away(model, inputs, level=-1):
    """Return whether the first logits change with the last of the features."""
    moved = [part.copy() for part in inputs]
    moved[level][:, -1, -1] += 100.0
    return not np.allclose(logits(model, moved)[:, 0, 0], logits(model, inputs)[:, 0, 0], atol=1e-4)


def test_image_pooling_reaches_what_no_convolution_does():
    inputs = features(AT_16, 48 * 16)  # the widest rate, 18, sees 36 of 48 features; v3+'s decoder some more
    assert moves_far_away(decoder("deeplabv3", AT_16), inputs)
    assert moves_far_away(decoder("deeplabv3plus", AT_16), inputs)
    assert moves_far_away(decoder("pspnet", AT_16), inputs)
    assert not moves_far_away(decoder("deeplab", AT_16), inputs)


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus"])
def test_the_far_reach_is_the_pooled_branch_alone(name):
    model, inputs = decoder(name, AT_16), features(AT_16, 48 * 16)
    (pooling,) = of_type(model, AdaptiveAveragePooling)
    convolution = pooling._outbound_nodes[0].operation
    convolution.set_weights([np.zeros_like(w) for w in convolution.get_weights()])
    assert not moves_far_away(model, inputs)


def rates(model):
    return {layer.dilation_rate[0] for layer in of_type(model, layers.Conv2D | layers.DepthwiseConv2D)}


def test_rates_follow_the_output_stride():
    for name in ("deeplabv3", "deeplabv3plus"):
        assert rates(decoder(name, AT_16)) == {1, 6, 12, 18}
        assert rates(decoder(name, (2, 4, 8, 8, 8))) == {1, 12, 24, 36}
    # Figure 3 of the paper has 4, 8 and 16 for its blocks 5 to 7, times 1, 2, 1.
    assert rates(decoder("deeplabv3_cascade", AT_16)) == {1, 4, 8, 16, 32}
    assert rates(decoder("deeplabv3_cascade", (2, 4, 8, 8, 8))) == {1, 8, 16, 32, 64}
    assert rates(decoder("deeplab", (2, 4, 8, 8, 8))) == {1, 12}


@pytest.mark.parametrize(("strides", "layers_of_a_branch"), [((1, 2, 4, 8, 8, 8), 3), ((2, 4, 8, 8, 8), 1)])
def test_deeplabv2_sums_the_scores_of_four_rates(strides, layers_of_a_branch):
    model, inputs = decoder("deeplabv2", strides), features(strides)
    convolutions = of_type(model, layers.Conv2D)
    assert len(convolutions) == 4 * layers_of_a_branch
    atrous = [layer for layer in convolutions if layer.kernel_size == (3, 3)]
    assert [layer.dilation_rate[0] for layer in atrous] == [6, 12, 18, 24]
    (total,) = of_type(model, layers.Add)
    branches = keras.Model(model.inputs, total.input)(inputs)
    np.testing.assert_allclose(logits(model, inputs), np.sum(branches, axis=0), atol=1e-5)
    assert all(np.std(branch) > 0 for branch in branches)


def test_deeplabv3s_cascade_adds_nine_bottlenecks_to_the_features():
    model, inputs = decoder("deeplabv3_cascade", AT_16, channels=512), [np.ones((1, 4, 4, 512), np.float32)] * 5
    sums = of_type(model, layers.Add)
    assert len(sums) == 9 and len(of_type(model, layers.Conv2D)) == 9 * 3 + 1  # as many channels: no projections
    for total in sums:
        norm = total.input[1]._keras_history.operation
        norm.set_weights([np.zeros_like(w) for w in norm.get_weights()])
    last = keras.Model(model.inputs, of_type(model, layers.Conv2D)[-1].input)
    np.testing.assert_array_equal(last(inputs), inputs[-1])


def test_deeplabv3plus_reads_stride_4_and_is_separable():
    model, inputs = decoder("deeplabv3plus", AT_16), features(AT_16)
    assert [s for level, s in enumerate(AT_16) if changed_where(model, inputs, level)] == [4, 16]
    assert all(c.kernel_size == (1, 1) for c in of_type(model, layers.Conv2D) if type(c) is layers.Conv2D)
    assert not of_type(decoder("deeplabv3", AT_16), layers.DepthwiseConv2D)


def test_encoders_are_told_what_each_paper_does(monkeypatch):
    told = {}

    class Stopped(Exception):
        pass

    def record(encoder, options):
        told[encoder] = options
        raise Stopped

    monkeypatch.setattr(segmentation.encoders, "build_encoder", lambda encoder, options: record(name, options))
    for name in NETWORKS:
        with pytest.raises(Stopped):
            build(name, dropout=0.25)
    grids = {name: told[name].multi_grid for name in told if set(told[name].multi_grid) != {1}}
    assert grids == {"deeplabv3": (1, 2, 4), "deeplabv3_cascade": (1, 2, 1)}
    assert {name: told[name].output_stride for name in told if told[name].output_stride < 32} == {
        "deeplab": 8,
        "deeplabv2": 8,
        "deeplabv3": 16,
        "deeplabv3_cascade": 16,
        "deeplabv3plus": 16,
        "pspnet": 8,
    }
    assert {name: told[name].dropout for name in told if told[name].dropout} == {"enet": 0.25, "bayesian_segnet": 0.25}


# PSPNet


def test_pspnets_loss_is_that_of_the_logits_and_0_4_of_the_auxiliary_ones():
    model = build("pspnet")
    x, labels = images(), np.random.default_rng(0).integers(0, 3, (2, 64, 64))
    outputs = model.network(x, training=True)
    assert outputs["auxiliary"].shape == outputs["logits"].shape == (2, 64, 64, 3)
    main, auxiliary = (float(cross_entropy(labels, outputs[name])) for name in ("logits", "auxiliary"))
    assert float(model.training_loss(x, labels, cross_entropy)) == pytest.approx(main + 0.4 * auxiliary, rel=1e-5)
    assert abs(main - auxiliary) > 1e-3


def test_pspnets_auxiliary_loss_reaches_the_encoder_up_to_the_last_stage_but_one():
    model = build("pspnet")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.network(images(), training=True)["auxiliary"] ** 2)
    kernels = [v for v in model.network.get_layer("small").trainable_variables if v.name == "kernel"]
    reached = [g is not None and bool(np.any(g)) for g in tape.gradient(loss, kernels)]
    assert reached == [True, True, True, True, False]


def test_each_of_pspnets_grids_reaches_the_logits():
    strides = (2, 4, 8, 8, 8)
    model, inputs = decoder("pspnet", strides), features(strides)
    poolings = of_type(model, AdaptiveAveragePooling)
    assert [pooling.bins for pooling in poolings] == [1, 2, 3, 6]
    before = logits(model, inputs)
    for pooling in poolings:
        convolution = pooling._outbound_nodes[0].operation
        (kernel,) = convolution.get_weights()
        convolution.set_weights([0 * kernel])
        assert not np.allclose(logits(model, inputs), before, atol=1e-5)
        convolution.set_weights([kernel])


# ENet


def test_enet_has_dilated_and_asymmetric_kernels_and_unpools_by_indices():
    model = build("enet", width=16)
    convolutions = [c for c in of_type(model.network, layers.Conv2D) if type(c) is layers.Conv2D]
    assert {c.dilation_rate[0] for c in convolutions} == {1, 2, 4, 8, 16}
    asymmetric = [c.kernel_size for c in convolutions if c.kernel_size[0] != c.kernel_size[1]]
    assert sorted(asymmetric) == [(1, 5)] * 4 + [(5, 1)] * 4
    assert len(of_type(model.network, MaxUnpooling)) == 2
    assert len(of_type(model.network, layers.PReLU)) > 50
    strides = (2, 4, 8)
    alone, inputs = decoder("enet", strides, width=CHANNELS), features(strides)
    for level in (0, 1):
        flipped = list(inputs)
        flipped[level] = flipped[level][:, :, ::-1].copy()
        assert not np.allclose(logits(alone, flipped), logits(alone, inputs), atol=1e-6)
        scaled = list(inputs)
        scaled[level] = scaled[level] * 2 + 1  # the same indices
        np.testing.assert_array_equal(logits(alone, scaled), logits(alone, inputs))


# Skips


@pytest.mark.parametrize(
    ("name", "kind", "strides", "joined"),
    [
        ("unet", layers.Concatenate, (1, 2, 4, 8, 16), {1, 2, 4, 8}),
        ("unet_nearest", layers.Concatenate, (1, 2, 4, 8, 16), {1, 2, 4, 8}),
        ("unet_pix2pix", layers.Concatenate, DEEP, {2, 4, 8, 16}),
        ("unet_pix2pix_nearest", layers.Concatenate, DEEP, {2, 4, 8, 16}),
        ("linknet", layers.Add, DEEP, {4, 8, 16}),
    ],
)
def test_skips_are_joined_as_the_paper_does(name, kind, strides, joined):
    model = decoder(name, strides)
    of_stride = {id(tensor): stride for tensor, stride in zip(model.inputs, strides, strict=True)}
    found = {of_stride[id(x)] for layer in of_type(model, kind) for x in layer.input if id(x) in of_stride}
    assert found == joined
    other = layers.Add if kind is layers.Concatenate else layers.Concatenate
    assert not of_type(model, other)


@pytest.mark.parametrize(
    ("name", "strides", "kernel", "doublings"),
    [("unet_nearest", (1, 2, 4, 8, 16), 2, 4), ("unet_pix2pix_nearest", DEEP, 3, 5)],
)
def test_the_nearest_neighbor_takes_the_place_of_every_transposed_convolution(name, strides, kernel, doublings):
    model, other = decoder(name, strides), decoder(name.removesuffix("_nearest"), strides)
    assert not of_type(model, layers.Conv2DTranspose)
    enlarged = of_type(model, NearestUpsampling)
    assert len(enlarged) == len(of_type(other, layers.Conv2DTranspose)) == doublings
    for layer in enlarged:
        assert layer._outbound_nodes[0].operation.kernel_size == (kernel, kernel)
    assert model.count_params() == other.count_params()


def test_linknet_adds_the_input_of_each_of_the_encoders_four_blocks():
    model, inputs = decoder("linknet"), features()
    assert len(of_type(model, layers.Add)) == 4
    assert [changed_where(model, inputs, level) for level in range(5)] == [True] * 5
    (pooling,) = of_type(model, layers.MaxPooling2D)
    padded = np.pad(inputs[0], ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_array_equal(keras.Model(model.inputs, pooling.output)(inputs), windows.max(axis=(-2, -1)))


def test_convtranspose_has_no_skips():
    model, inputs = decoder("convtranspose"), features()
    assert [changed_where(model, inputs, level) for level in range(5)] == [False] * 4 + [True]
    assert not of_type(model, layers.UpSampling2D) and not of_type(model, Upsampling)


@pytest.mark.parametrize("name", ["fpn", "panet", "panoptic_fpn"])
def test_pyramids_sum_strides_4_to_32(name):
    model, inputs = decoder(name), features()
    assert [changed_where(model, inputs, level) for level in range(5)] == [False] + [True] * 4
    assert not of_type(model, layers.Concatenate)
    assert max(len(layer.input) for layer in of_type(model, layers.Add)) == 4


@pytest.mark.parametrize(("name", "reached"), [("fpn", False), ("panet", True)])
def test_only_panet_carries_the_finest_level_up_to_the_coarsest(name, reached):
    model, inputs = decoder(name), features(size=128)
    (eightfold,) = (layer for layer in of_type(model, Upsampling) if layer.factor == 8)
    coarsest, finer = keras.Model(model.inputs, eightfold.input), list(inputs)
    finer[DEEP.index(4)] = finer[DEEP.index(4)] + 1.0
    assert np.allclose(coarsest(finer), coarsest(inputs), atol=1e-6) != reached
    deeper = [*inputs[:-1], inputs[-1] + 1.0]
    assert not np.allclose(coarsest(deeper), coarsest(inputs), atol=1e-6)


def test_panoptic_fpn_normalises_groups_and_not_batches():
    model, inputs = decoder("panoptic_fpn"), features()
    assert len(of_type(model, layers.GroupNormalization)) == 1 + 1 + 2 + 3
    assert not of_type(model, layers.BatchNormalization)
    np.testing.assert_array_equal(model(inputs, training=True)["logits"], model(inputs, training=False)["logits"])
    other = [np.concatenate([part, part * 9 + 4]) for part in inputs]
    np.testing.assert_allclose(logits(model, other)[:1], logits(model, inputs), rtol=1e-3, atol=1e-4)


# PointRend


def point_head(stride, classes=3, seed=0):
    keras.utils.set_random_seed(seed)
    return pointrend.PointRend(stride, 8), partial(np.random.default_rng(seed).normal)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_features_at_points_are_bilinear(height, width, seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(2, height, width, 2)).astype(np.float32)
    points = random.uniform(size=(2, 7, 2)).astype(np.float32)
    found = pointrend._at_points(x, points)
    for b, c in np.ndindex(2, 2):
        places = (points[b] * [height, width] - 0.5).T
        expected = map_coordinates(x[b, ..., c].astype(np.float64), places, order=1, mode="nearest")
        np.testing.assert_allclose(found[b, :, c], expected, atol=1e-5)


def test_three_quarters_of_the_training_points_are_uncertain_ones():
    layer, normal = point_head(4)
    coarse = normal(size=(2, 64, 64, 3)).astype(np.float32)
    coarse[..., 0] += 50.0  # certain everywhere
    coarse[:, :, 32:, :] = 0.001 * normal(size=(2, 64, 32, 3))  # but for the right half
    fine = normal(size=(2, 64, 64, 5)).astype(np.float32)
    out = layer([coarse, fine], training=True)
    columns = np.array(out["points"])[..., 1]
    assert columns.shape == (2, 256 * 256 // 256)
    chosen = 3 * columns.shape[1] // 4
    # Of three times as many candidates, half are enough for these; the rest lies anywhere.
    assert np.all(columns[:, :chosen] > 31 / 64)
    assert np.mean(columns[:, chosen:] > 0.5) == pytest.approx(0.5, abs=0.15)
    np.testing.assert_allclose(out["logits"], tf.image.resize(coarse, (256, 256)))
    assert not np.array_equal(layer([coarse, fine], training=True)["points"], out["points"])


def test_the_point_loss_counts_each_point_but_void_ones():
    random = np.random.default_rng(0)
    points, scores = random.uniform(size=(2, 9, 2)), random.normal(size=(2, 9, 3))
    labels = random.choice([0, 1, 2, 255], (2, 8, 12))
    losses = []
    for b, n in np.ndindex(2, 9):
        truth = labels[b, int(points[b, n, 0] * 8), int(points[b, n, 1] * 12)]
        if truth != 255:
            losses.append(np.log(np.exp(scores[b, n]).sum()) - scores[b, n, truth])
    assert 2 < len(losses) < 18
    found = pointrend.point_loss(points.astype(np.float32), scores.astype(np.float32), labels)
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)
    void = np.full_like(labels, 255)
    assert float(pointrend.point_loss(points.astype(np.float32), scores.astype(np.float32), void)) == 0.0


def test_the_point_loss_reaches_encoder_coarse_network_and_point_head():
    model = build("pointrend")
    labels = np.random.default_rng(0).integers(0, 3, (2, 64, 64))
    with tf.GradientTape(persistent=True) as tape:
        out = model.network(images(), training=True)
        points = pointrend.point_loss(out["points"], out["point_logits"], labels)
        total = model.training_loss(images(), labels, lambda labels, logits: 0.0 * tf.reduce_sum(logits))
    (head,) = of_type(model.network, pointrend.PointRend)
    places = {
        "head": head.trainable_variables,
        "encoder": model.network.get_layer("small").trainable_variables,
        "coarse": of_type(model.network, layers.Conv2D)[-1].trainable_variables,
    }
    for variables in places.values():
        assert all(np.any(g) for g in tape.gradient(points, variables))
    assert len(places["head"]) == 8
    assert float(total) > 0.1  # the model's loss holds that of the points


def test_inference_replaces_exactly_the_least_certain_points():
    layer, normal = point_head(2)
    coarse, fine = normal(size=(2, 32, 24, 3)).astype(np.float32), normal(size=(2, 16, 12, 5)).astype(np.float32)
    refined = np.array(layer([coarse, fine])["logits"])
    plain = np.array(tf.image.resize(coarse, (64, 48)))
    top = np.sort(plain, axis=-1)
    margin = (top[..., -1] - top[..., -2]).reshape(2, -1)
    count = 64 * 48 // 256
    for image in range(2):
        replaced = np.any(refined[image] != plain[image], axis=-1).ravel()
        assert set(np.flatnonzero(replaced)) == set(np.argsort(margin[image])[:count])
    # And by what the head says at their centres.
    row, column = divmod(int(np.argmin(margin[0])), 48)
    centre = np.array([[[(row + 0.5) / 64, (column + 0.5) / 48]]] * 2, np.float32)
    np.testing.assert_allclose(refined[0, row, column], layer._head(coarse, fine, centre)[0, 0], rtol=1e-4, atol=1e-5)


def test_each_doubling_refines_anew():
    layer, normal = point_head(8)
    coarse, fine = normal(size=(1, 8, 8, 3)).astype(np.float32), normal(size=(1, 16, 16, 5)).astype(np.float32)
    refined, plain = np.array(layer([coarse, fine])["logits"]), np.array(tf.image.resize(coarse, (64, 64)))
    assert refined.shape == plain.shape
    # A point of an earlier step spreads over more pixels than are replaced in the last.
    assert np.sum(np.any(np.abs(refined - plain) > 1e-4, axis=-1)) > 2 * 64 * 64 // 256


@pytest.mark.parametrize("coarse", ["fpn", "panoptic_fpn", "panet", "deeplabv3plus"])
def test_the_fine_features_are_the_pyramids_if_there_is_one(coarse):
    model = decoder("pointrend", coarse=coarse, width=64, strides=AT_16 if coarse == "deeplabv3plus" else DEEP)
    (layer,) = of_type(model, pointrend.PointRend)
    assert layer.input[1].shape[-1] == (CHANNELS if coarse == "deeplabv3plus" else 256)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_coarse_logits_stay_exact_under_every_precision(precision):
    model = build("pointrend", precision=precision)
    (layer,) = of_type(model.network, pointrend.PointRend)
    x = images().astype(np.float32)
    coarse = keras.Model(model.network.input, layer.input[0])(x, training=True)
    upsampled = model.network(x, training=True)["logits"]
    np.testing.assert_array_equal(upsampled, tf.image.resize(coarse, (64, 64)))
    assert not np.array_equal(coarse, tf.cast(tf.cast(coarse, tf.bfloat16), tf.float32))


@pytest.mark.parametrize("coarse", REFINABLE)
def test_any_coarse_network_is_refined(coarse):
    model = build("pointrend", coarse=coarse, output_stride=NETWORKS[coarse].output_strides[0])
    x = images()
    (layer,) = of_type(model.network, pointrend.PointRend)
    unrefined = tf.image.resize(keras.Model(model.network.input, layer.input[0])(x.astype(np.float32)), (64, 64))
    assert layer.input[0].shape[-1] == CLASSES
    assert np.mean(np.abs(model(x) - unrefined) > 1e-5) > 1 / 256
    assert ("auxiliary" in model.network(x, training=True)) == (coarse == "pspnet")


# One network stated again


def transposed(x, kernel, bias=0.0):
    """Transposed convolution of stride 2 by a loop; kernel [3, 3, out, in], the odd row and column cut at the end."""
    height, width, _ = x.shape
    out = np.zeros((2 * height + 1, 2 * width + 1, kernel.shape[2]))
    for i, j in np.ndindex(height, width):
        out[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.einsum("hwoi,i->hwo", kernel, x[i, j])
    return out[: 2 * height, : 2 * width] + bias


@pytest.mark.skipif(not MOBILENET.exists(), reason="needs the ImageNet weights of MobileNetV2")
def test_the_tutorials_network_gives_the_logits_of_its_plain_statement():
    """MobileNetV2's ImageNet features through the up-sampling of pix2pix, in float64 without TensorFlow."""
    model = build("unet_pix2pix", "mobilenet_v2", width=16, encoder_weights=MOBILENET)
    random = np.random.default_rng(4)
    norms = [layer for layer in model.network.layers if isinstance(layer, layers.BatchNormalization)]
    for norm in norms:
        size = norm.gamma.shape
        norm.set_weights(
            [
                random.normal(1, 0.3, size),
                random.normal(0, 0.3, size),
                random.normal(0, 0.1, size),
                random.uniform(0.01, 0.1, size),
            ]
        )
    x = images(64, 96, 1)
    *skips, deepest = (
        np.array(f[0], np.float64) for f in model.network.get_layer("mobilenet_v2")(x.astype(np.float32))
    )
    ups = of_type(model.network, layers.Conv2DTranspose)
    state = deepest
    for up, norm, skip in zip(ups, norms, reversed(skips), strict=False):
        gamma, beta, mean, variance = (np.array(w, np.float64) for w in norm.get_weights())
        state = transposed(state, np.array(up.kernel, np.float64))
        state = np.maximum((state - mean) / np.sqrt(variance + norm.epsilon) * gamma + beta, 0)
        state = np.concatenate([state, skip], axis=-1)
    expected = transposed(state, *(np.array(w, np.float64) for w in ups[-1].get_weights()))
    assert np.std(expected) > 0.05
    np.testing.assert_allclose(model(x)[0], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


# Parameter counts at width 64


class Count(NamedTuple):
    """What is trained with the encoder, the published count and what makes the two differ, in parameters."""

    ours: int
    published: int | None = None
    rounded_to: int = 1
    differences: Mapping[str, int] = MappingProxyType({})


# The head of torchvision's DeepLabv3 and its auxiliary one; its ResNets' convolutions have no biases.
_TORCHVISION = {"auxiliary head": 2_365_205, "3x3 convolution after ASPP": 590_336}
PARAMETERS = {
    # github.com/milesial/Pytorch-UNet with transposed convolutions
    ("unet", "unet", 2): Count(31_037_698, 31_037_698),
    # github.com/zhixuhao/unet, upsampling by nearest neighbor and one channel of input
    ("unet_nearest", "unet", 2): Count(
        31_037_698,
        31_031_685,
        1,
        {"batch normalisation instead of biases": -5_888, "another 3x3 convolution": 1_027, "colors": -1_152},
    ),
    # The tutorial's notebook prints 6,504,227, of which 4,660,323 are trained beside the frozen encoder.
    ("unet_pix2pix", "mobilenet_v2", 3): Count(6_471_395, 6_504_227, 1, {"statistics of batch normalisation": 32_832}),
    # Long et al., Table 1: 134M
    ("fcn8s", "vgg16", 21): Count(134_376_863, 134_000_000, 1_000_000, {"fixed upsampling": 112_896}),
    # github.com/TimoSaemann/ENet: 29.4 M
    ("segnet", "vgg16_bn", 11): Count(29_441_419, 29_400_000, 100_000),
    # Chen et al., ICLR 2015, of DeepLab-LargeFOV: 20.5M
    ("deeplab", "vgg16", 21): Count(20_505_429, 20_500_000, 100_000),
    # torchvision.models, num_params of the weights of VGG16
    ("deeplabv2", "vgg16", 21): Count(
        37_877_652, 138_357_544, 1, {"four branches": -23_162_964, "classifier of ImageNet": 123_642_856}
    ),
    # torchvision.models, num_params of the weights of ResNet-50
    ("deeplabv3_cascade", "resnet50", 21): Count(
        63_740_949,
        25_557_032,
        1,
        {"nine bottlenecks": -9 * 4_462_592, "scores": -43_029, "classifier of ImageNet": 2_049_000, "biases": -26_560},
    ),
    # torchvision.models.segmentation, num_params of the weights
    ("deeplabv3", "resnet50", 21): Count(39_075_093, 42_004_074, 1, _TORCHVISION | {"biases": -26_560}),
    ("deeplabv3", "resnet101", 21): Count(58_093_333, 60_996_202, 1, _TORCHVISION | {"biases": -52_672}),
    # github.com/TimoSaemann/ENet: 0.36 M; the paper, with the classes of Cityscapes: 0.37M
    ("enet", "enet", 12): Count(363_163, 360_000, 10_000),
    # segmentation_models.pytorch: 26.1 million with one class
    ("fpn", "resnet50", 21): Count(
        28_062_357,
        26_100_000,
        100_000,
        {"3x3 convolution of each level": -2_360_320, "3 more in the head": 443_136, "20 classes": -2_580}
        | {"biases": -26_560},
    ),
    # Wang et al., ICCV 2021 (PVT), Semantic FPN with 150 classes: 28.5M
    ("panoptic_fpn", "resnet50", 21): Count(28_505_493, 28_500_000, 100_000, {"129 classes": 16_641}),
    ("deeplabv3plus", "resnet50", 21): Count(26_722_693),
    ("pspnet", "resnet50", 21): Count(48_984_362),
    ("panet", "resnet50", 21): Count(31_604_373),
    ("linknet", "resnet50", 21): Count(28_791_925),
    ("pointrend", "resnet50", 21): Count(28_281_699),
    ("convtranspose", "unet", 2): Count(28_252_418),
}


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.fixture
def shapes_alone():
    with without_values():
        yield


@pytest.mark.parametrize(("architecture", "encoder", "classes"), PARAMETERS)
def test_parameter_counts(architecture, encoder, classes, shapes_alone):
    names, colors = [str(n) for n in range(classes)], ["#000000"] * classes
    stride = NETWORKS[architecture].output_strides[0]
    model = segmentation.SegmentationModel(
        architecture, encoder, names, colors, 64, 0.0, False, "float32", output_stride=stride
    )
    count = PARAMETERS[architecture, encoder, classes]
    assert trainable(model) == count.ours
    if count.published:
        assert abs(count.ours + sum(count.differences.values()) - count.published) < count.rounded_to


def test_the_tutorials_network_trains_as_many_weights(shapes_alone):
    names, colors = ["a", "b", "c"], ["#000000"] * 3
    model = segmentation.SegmentationModel("unet_pix2pix", "mobilenet_v2", names, colors, 64, 0.0, True, "float32")
    assert trainable(model) == 4_660_323
    assert model.count_params() == 6_504_227
