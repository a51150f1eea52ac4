"""Losses against plain NumPy statements of their formulas, on void, on class weights, and their gradients."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_edt

from maskline.contracts.classes import VOID
from maskline.errors import InputError
from maskline.params.train import LossOptions, LossParams
from maskline.training.class_weights import chosen_weights, class_weights, per_image_weights
from maskline.training.losses import named_losses, weighted_sum
from maskline.training.pixel_losses import boundary, boundary_distance, cross_entropy, focal, ohem
from maskline.training.region_losses import dice, focal_tversky, iou, lovasz, tversky
from maskline.training.void import without_void

C = 3
OPTIONS = LossOptions(
    label_smoothing=0.0,
    focal_gamma=2.0,
    tversky_alpha=0.3,
    tversky_beta=0.7,
    focal_tversky_gamma=1.333,
    ohem_threshold=0.7,
    ohem_share=0.0625,
    boundary_weight=10.0,
    boundary_sigma=1.0,
)
LOSSES = named_losses(OPTIONS, None)
ANY_OPTIONS = st.builds(
    LossOptions,
    label_smoothing=st.sampled_from([0.0, 0.1, 0.9]),
    focal_gamma=st.sampled_from([0.0, 0.5, 2.0, 5.0]),
    tversky_alpha=st.floats(0.1, 1),
    tversky_beta=st.floats(0.1, 1),
    focal_tversky_gamma=st.floats(1, 3),
    ohem_threshold=st.floats(0, 1),
    ohem_share=st.floats(0, 1),
    boundary_weight=st.floats(0, 100),
    boundary_sigma=st.floats(0.1, 2),
)
LABELS = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 6)),
    elements=st.sampled_from([0, 1, 2, VOID]),
)


def draw_logits(seed, labels, scale=2.0, classes=C):
    """Logits without ties, so that rounding changes no order."""
    return (scale * np.random.default_rng(seed).normal(size=(*labels.shape, classes))).astype(np.float32)


def value_and_gradient(loss, labels, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits)
    return float(value), tape.gradient(value, logits).numpy()


# The formulas, pixel by pixel in float64.


def valid_pixels(labels, logits):
    """List the place, label and probabilities of each valid pixel."""
    found = []
    for place in np.ndindex(labels.shape):
        if labels[place] != VOID:
            powers = np.exp(logits[place].astype(np.float64) - logits[place].max())
            found.append((place, int(labels[place]), powers / powers.sum()))
    return found


def weighted_mean(pairs):
    total = sum(weight for weight, _ in pairs)
    return sum(weight * value for weight, value in pairs) / total if total else 0.0


def plain_cross_entropy(labels, logits, weights, options):
    eps, classes = options.label_smoothing, logits.shape[-1]
    pairs = []
    for _, label, p in valid_pixels(labels, logits):
        target = [(1 - eps) * (label == other) + eps / classes for other in range(classes)]
        pairs.append((weights[label], -sum(t * math.log(q) for t, q in zip(target, p, strict=True))))
    return weighted_mean(pairs)


def plain_focal(labels, logits, weights, options):
    return weighted_mean(
        [
            (weights[label], (1 - p[label]) ** options.focal_gamma * -math.log(p[label]))
            for _, label, p in valid_pixels(labels, logits)
        ]
    )


def plain_ohem(labels, logits, weights, options):
    hardest_first = sorted((p[label], label) for _, label, p in valid_pixels(labels, logits))
    least = max(1, math.ceil(options.ohem_share * len(hardest_first)))
    return weighted_mean(
        [
            (weights[label], -math.log(p))
            for rank, (p, label) in enumerate(hardest_first)
            if rank < least or p < options.ohem_threshold
        ]
    )


def boundary_pixels(image):
    """List the places of a label map that have a neighbour of another class."""
    found = []
    for y, x in np.ndindex(image.shape):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= v < image.shape[0] and 0 <= u < image.shape[1]
            if inside and VOID not in (image[y, x], image[v, u]) and image[y, x] != image[v, u]:
                found.append((y, x))
    return found


def plain_boundary(labels, logits, weights, options):
    at_boundary = [boundary_pixels(image) for image in labels]
    pairs = []
    for (image, y, x), label, p in valid_pixels(labels, logits):
        distance = min((math.hypot(y - v, x - u) for v, u in at_boundary[image]), default=math.inf)
        near = math.exp(-(distance**2) / (2 * options.boundary_sigma**2))
        if distance > math.ceil(3 * options.boundary_sigma):
            near = 0.0
        pairs.append((weights[label] * (1 + options.boundary_weight * near), -math.log(p[label])))
    return weighted_mean(pairs)


def counts_by_class(labels, logits):
    """List the soft TP, FP and FN of each class that is there."""
    pixels, found = valid_pixels(labels, logits), []
    for c in range(logits.shape[-1]):
        if any(label == c for _, label, _ in pixels):
            tp = sum(p[c] for _, label, p in pixels if label == c)
            fp = sum(p[c] for _, label, p in pixels if label != c)
            fn = sum(1 - p[c] for _, label, p in pixels if label == c)
            found.append((tp, fp, fn))
    return found


def mean(values):
    return sum(values) / len(values) if values else 0.0


def plain_dice(labels, logits, weights, options):
    return mean([1 - 2 * tp / (2 * tp + fp + fn) for tp, fp, fn in counts_by_class(labels, logits)])


def plain_iou(labels, logits, weights, options):
    return mean([1 - tp / (tp + fp + fn) for tp, fp, fn in counts_by_class(labels, logits)])


def plain_tverskys(labels, logits, options):
    alpha, beta = options.tversky_alpha, options.tversky_beta
    return [1 - tp / (tp + alpha * fp + beta * fn) for tp, fp, fn in counts_by_class(labels, logits)]


def plain_tversky(labels, logits, weights, options):
    return mean(plain_tverskys(labels, logits, options))


def plain_focal_tversky(labels, logits, weights, options):
    return mean([loss ** (1 / options.focal_tversky_gamma) for loss in plain_tverskys(labels, logits, options)])


def jaccard_loss(wrong, members):
    """Return the Jaccard loss of a class whose wrongly predicted pixels are `wrong`."""
    return 1 - len(members - wrong) / len(members | wrong)


def plain_lovasz(labels, logits, weights, options):
    pixels, losses = valid_pixels(labels, logits), []
    for c in range(logits.shape[-1]):
        members = {place for place, label, _ in pixels if label == c}
        errors = sorted(((abs((label == c) - p[c]), place) for place, label, p in pixels), reverse=True)
        if members:
            wrong, loss = set(), 0.0
            for error, place in errors:
                loss += error * (jaccard_loss(wrong | {place}, members) - jaccard_loss(wrong, members))
                wrong.add(place)
            losses.append(loss)
    return mean(losses)


PLAIN = {
    "cross_entropy": plain_cross_entropy,
    "focal": plain_focal,
    "dice": plain_dice,
    "iou": plain_iou,
    "tversky": plain_tversky,
    "focal_tversky": plain_focal_tversky,
    "lovasz": plain_lovasz,
    "ohem": plain_ohem,
    "boundary": plain_boundary,
}


def test_params_name_every_loss_in_its_order():
    assert list(LOSSES) == list(LossParams.model_fields) == list(PLAIN)


@pytest.mark.parametrize("name", LOSSES)
@given(LABELS, st.integers(0, 999), ANY_OPTIONS, st.sampled_from([None, (1.0, 1.0, 1.0), (0.5, 2.0, 7.0)]))
def test_a_loss_is_its_formula(name, labels, seed, options, weights):
    logits = draw_logits(seed, labels)
    ours = float(named_losses(options, None if weights is None else np.array(weights))[name](labels, logits))
    plain = PLAIN[name](labels, logits, weights or (1, 1, 1), options)
    assert ours == pytest.approx(plain, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@given(LABELS, st.integers(0, 999))
@settings(max_examples=3)
def test_a_gradient_is_the_slope_of_the_formula(name, labels, seed):
    labels = labels[:1, :4, :4]
    logits, step = draw_logits(seed, labels).astype(np.float64), 1e-6
    _, gradient = value_and_gradient(LOSSES[name], labels, logits)
    for place in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[place] += step
        down[place] -= step
        rise = PLAIN[name](labels, up, np.ones(C), OPTIONS) - PLAIN[name](labels, down, np.ones(C), OPTIONS)
        assert gradient[place] == pytest.approx(rise / (2 * step), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 255])
@pytest.mark.parametrize("name", LOSSES)
def test_a_traced_loss_of_unknown_shape_is_its_formula(name, classes):
    labels = np.random.default_rng(1).integers(0, classes, (2, 5, 7)).astype(np.uint8)
    labels[:, 2] = VOID
    logits = draw_logits(2, labels, classes=classes).astype(np.float16)
    signature = [tf.TensorSpec((None,) * 3, tf.uint8), tf.TensorSpec((None, None, None, classes), tf.float16)]
    traced = tf.function(LOSSES[name], input_signature=signature)
    for shape in ((2, 5, 7), (1, 70, 1), (70, 1, 1)):
        y, x = labels.reshape(shape), logits.reshape(*shape, classes)
        expected = PLAIN[name](y, x, np.ones(classes), OPTIONS)
        assert float(traced(y, x)) == pytest.approx(expected, rel=1e-4)
        value, gradient = value_and_gradient(LOSSES[name], y, x)
        assert value == pytest.approx(float(traced(y, x)), rel=1e-6)
        np.testing.assert_allclose(value_and_gradient(traced, y, x)[1], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_void_has_no_gradient_and_all_void_is_zero(name):
    loss = named_losses(OPTIONS, np.array([0.5, 1.0, 2.0]))[name]
    labels = np.array(tf.random.stateless_uniform((2, 4, 4), (3, 4), maxval=C, dtype=tf.int32))
    labels[:, 0] = VOID
    logits = draw_logits(1, labels)
    value, gradient = value_and_gradient(loss, labels, logits)
    assert value > 0.0 and np.isfinite(gradient).all()
    assert gradient[labels != VOID].any() and not gradient[labels == VOID].any()
    for shape in ((2, 4, 4), (1, 1, 1)):
        value, gradient = value_and_gradient(loss, np.full(shape, VOID), logits[: shape[0], : shape[1], : shape[2]])
        assert value == 0.0 and not gradient.any()


@pytest.mark.parametrize("scale", [2.0, 300.0])  # where softmax gives some of each, and only 0 and 1
@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"boundary"}))
def test_void_might_as_well_not_be_there(name, scale):
    labels = np.random.default_rng(5).choice([0, 1, 2, VOID], (2, 6, 6))
    logits = draw_logits(6, labels, scale)
    valid = labels != VOID
    value, gradient = value_and_gradient(LOSSES[name], labels, logits)
    alone, of_alone = value_and_gradient(LOSSES[name], labels[valid][None, None], logits[valid][None, None])
    assert value == pytest.approx(alone, rel=1e-6)
    np.testing.assert_allclose(gradient[valid], of_alone[0, 0], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", LOSSES)
def test_the_extremes_of_float16_are_finite(name, sign):
    options = OPTIONS.model_copy(update={"label_smoothing": 0.1, "focal_gamma": 0.5, "focal_tversky_gamma": 3.0})
    labels = np.array([[[0, 1, 2, VOID], [0, 0, 2, 2]]])
    logits = (sign * 60000 * (2.0 * np.eye(C)[np.where(labels == VOID, 0, labels)] - 1)).astype(np.float16)
    for weights in (None, np.array([0.5, 1.0, 2.0])):
        value, gradient = value_and_gradient(named_losses(options, weights)[name], labels, logits)
        assert np.isfinite(value) and np.isfinite(gradient).all()
        assert gradient.dtype == np.float16


@pytest.mark.parametrize("name", LOSSES)
def test_the_right_answer_costs_least(name):
    labels = np.array([[[0, 1, 2, VOID]]])
    right = 12.0 * np.eye(C)[[0, 1, 2, 0]][None, None]
    wrong = 12.0 * np.eye(C)[[1, 2, 0, 0]][None, None]
    assert float(LOSSES[name](labels, right.astype(np.float32))) < 0.01
    assert float(LOSSES[name](labels, wrong.astype(np.float32))) > 0.9


@given(LABELS, st.integers(0, 999))
@settings(max_examples=10)
def test_losses_that_are_others_by_their_options(labels, seed):
    logits = draw_logits(seed, labels)
    weights = np.array([0.5, 2.0, 7.0])
    for special, general in (
        (dice(labels, logits), tversky(labels, logits, alpha=0.5, beta=0.5)),
        (iou(labels, logits), tversky(labels, logits, alpha=1.0, beta=1.0)),
        (tversky(labels, logits), focal_tversky(labels, logits, gamma=1.0)),
        (cross_entropy(labels, logits, weights), focal(labels, logits, weights, gamma=0.0)),
        (cross_entropy(labels, logits, weights), ohem(labels, logits, weights, threshold=0.0, share=1.0)),
        (cross_entropy(labels, logits, weights), boundary(labels, logits, weights, weight=0.0)),
    ):
        assert float(general) == pytest.approx(float(special), rel=1e-5, abs=1e-6)


def test_alpha_is_the_price_of_false_positives():
    labels = np.array([[[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]])
    too_much = 9.0 * np.eye(2, dtype=np.float32)[[[[1, 1, 1, 1, 0, 0, 0, 0, 0, 0]]]]
    assert float(tversky(labels, too_much, alpha=0.9, beta=0.1)) > 0.1 + float(tversky(labels, too_much, 0.1, 0.9))
    labels, too_little = np.argmax(too_much, axis=-1), 9.0 * np.eye(2, dtype=np.float32)[labels]
    assert float(tversky(labels, too_little, alpha=0.9, beta=0.1)) < float(tversky(labels, too_little, 0.1, 0.9)) - 0.1


@given(LABELS, st.integers(0, 999))
@settings(max_examples=20)
def test_lovasz_of_a_sure_prediction_is_the_jaccard_loss(labels, seed):
    predicted = np.random.default_rng(seed).integers(0, C, labels.shape)
    losses = []
    for c in range(C):
        truth, found = labels == c, (predicted == c) & (labels != VOID)
        if truth.any():
            losses.append(1 - (truth & found).sum() / (truth | found).sum())
    ours = float(lovasz(labels, 100 * np.eye(C, dtype=np.float32)[predicted]))
    assert ours == pytest.approx(mean(losses), rel=1e-5, abs=1e-6)


def test_focal_tversky_has_a_slope_next_to_a_perfect_answer_and_none_at_it():
    labels = np.array([[[0, 1]]])
    for size, sloped in ((5.0, True), (500.0, False)):
        logits = size * np.eye(2, dtype=np.float32)[labels]
        _, gradient = value_and_gradient(lambda y, x: focal_tversky(y, x, gamma=3.0), labels, logits)
        assert np.isfinite(gradient).all()
        assert gradient.any() == sloped


def test_ohem_keeps_all_of_the_equally_hard():
    labels = np.array([[[0, 1, 2, VOID, 0]]])
    _, gradient = value_and_gradient(lambda y, x: ohem(y, x, threshold=0.0, share=0.1), labels, np.zeros((1, 1, 5, C)))
    np.testing.assert_array_equal(gradient.any(axis=-1), labels != VOID)


@given(LABELS, st.integers(1, 9))
@settings(max_examples=30)
def test_boundary_distance_is_exact(labels, radius):
    ours = boundary_distance(labels, radius).numpy()
    for image, squared in zip(labels, ours, strict=True):
        elsewhere = np.ones(image.shape, bool)
        for place in boundary_pixels(image):
            elsewhere[place] = False
        exact = np.rint(distance_transform_edt(elsewhere) ** 2) if not elsewhere.all() else np.inf
        np.testing.assert_array_equal(squared, np.where(exact <= radius**2, exact, np.inf))


def test_boundary_distance_far_from_the_only_boundary():
    labels = np.zeros((1, 40, 50), np.uint8)
    labels[0, 0, 0], labels[0, 39, 49] = 1, VOID
    squared = boundary_distance(labels, 30).numpy()[0]
    assert squared[18, 24] == 18**2 + 23**2  # to (0, 1)
    assert squared[0, 31] == 900 and np.isinf(squared[0, 32]) and np.isinf(squared[39, 49])


def test_weighted_sum_leaves_out_what_weighs_nothing():
    labels, logits = np.array([[[0, 1]]]), np.array([[[[1.0, 0, 0], [0, 0, 1.0]]]], np.float32)
    both = float(weighted_sum({"cross_entropy": 2.0, "dice": 0.5}, LOSSES)(labels, logits))
    assert both == pytest.approx(2 * float(cross_entropy(labels, logits)) + 0.5 * float(dice(labels, logits)))
    assert float(weighted_sum({"cross_entropy": 1.0, "dice": 0.0}, LOSSES)(labels, logits)) == pytest.approx(
        float(cross_entropy(labels, logits))
    )


def test_weights_per_image_are_those_of_each_images_own_pixels():
    labels = np.array([[[0, 0, 0, 1, VOID, 1, 0, 0]], [[2, 2, 1, VOID, VOID, VOID, 2, 2]], [[VOID] * 8]])
    weights = np.zeros(labels.shape)
    for image, label, weight in ((0, 0, 7 / 10), (0, 1, 7 / 4), (1, 2, 5 / 8), (1, 1, 5 / 2)):
        weights[image][labels[image] == label] = weight
    np.testing.assert_allclose(per_image_weights(*without_void(tf.constant(labels)), C), weights, rtol=1e-6)
    logits, weighted = draw_logits(4, labels), named_losses(OPTIONS, "per_image")
    expected = weighted_mean(
        [(weights[place], -math.log(p[label])) for place, label, p in valid_pixels(labels, logits)]
    )
    assert float(weighted["cross_entropy"](labels, logits)) == pytest.approx(expected, rel=1e-5)
    changed = {
        name for name, loss in LOSSES.items() if float(loss(labels, logits)) != float(weighted[name](labels, logits))
    }
    assert changed == {"cross_entropy", "focal", "ohem", "boundary"}


def test_class_weights_by_hand():
    pixels, images = np.array([800, 150, 50]), np.array([10, 5, 1])
    assert class_weights("none", pixels, images, 100) is None
    inverse = class_weights("inverse", pixels, images, 100)
    np.testing.assert_allclose(inverse * pixels, (inverse * pixels)[0], rtol=1e-6)
    median = class_weights("median_frequency", pixels, images, 100)
    frequency = np.array([0.8, 0.3, 0.5])
    np.testing.assert_allclose(median / median[2], (0.5 / frequency) / 1.0, rtol=1e-6)
    for weights in (inverse, median):
        assert (weights * pixels).sum() == pytest.approx(pixels.sum())


def test_a_list_of_class_weights_has_one_for_each_class():
    classes = [SimpleNamespace(name=name) for name in ("ground", "sky", "tree")]
    manifest = SimpleNamespace(classes=classes)
    np.testing.assert_array_equal(chosen_weights([1.0, 0.0, 7.5], manifest), np.array([1.0, 0.0, 7.5], np.float32))
    with pytest.raises(InputError) as caught:
        chosen_weights([1.0, 2.0], manifest)
    assert str(caught.value) == (
        "train.class_weights must have one weight for each of the 3 classes (ground, sky, tree). Received: 2 weights"
    )
