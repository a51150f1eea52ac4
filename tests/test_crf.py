"""The CRF against its plain statement over all pairs of pixels, and the lattice against the exact Gaussian."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskline.errors import InputError
from maskline.prediction.refine.crf import CrfParams, mean_field, refined_by_crf
from maskline.prediction.refine.permutohedral import _simplices, gaussian_filter


def exact_filter(features):
    """The kernel that the lattice approximates, as a matrix."""
    squares = ((features[:, None] - features[None]) ** 2).sum(axis=-1)
    return lambda values: np.exp(-squares / 2) @ values


def per_row(kernel, values):
    return kernel(values) / kernel(np.ones_like(values[:, :1]))


def stated(image, probabilities, params):
    """Mean field as the paper writes it, pixel by pixel."""
    height, width, classes = probabilities.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]

    def kernels(a, b):
        apart = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
        colors = ((image[a].astype(float) - image[b]) ** 2).sum()
        near = np.exp(-apart / (2 * params.gaussian_sigma**2))
        alike = apart / (2 * params.bilateral_sigma_xy**2) + colors / (2 * params.bilateral_sigma_rgb**2)
        return np.array([near, np.exp(-alike)])

    likeness = np.array([[kernels(a, b) for b in pixels] for a in pixels])
    degree = likeness.sum(axis=1)
    q = probabilities.astype(float)
    for _ in range(params.iterations):
        updated = np.empty_like(q)
        for i, a in enumerate(pixels):
            energy = -np.log(probabilities[a].astype(float))
            for j, b in enumerate(pixels):
                strength = likeness[i, j] / np.sqrt(degree[i] * degree[j])
                pull = params.gaussian_weight * strength[0] + params.bilateral_weight * strength[1]
                energy += pull * (1 - np.eye(classes)) @ q[b]  # Potts: what others think is another class costs
            updated[a] = np.exp(-energy) / np.exp(-energy).sum()
        q = updated
    return q


def case(height, width, classes, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    return image, rng.dirichlet(np.ones(classes), (height, width)).astype(np.float32)


def features_of(image, params):
    places = np.indices(image.shape[:2]).reshape(2, -1).T
    colors = image.reshape(-1, 3) / params.bilateral_sigma_rgb
    return places / params.gaussian_sigma, np.concatenate([places / params.bilateral_sigma_xy, colors], axis=1)


def exact(image, probabilities, params):
    near, alike = features_of(image, params)
    kernels = [(params.gaussian_weight, exact_filter(near)), (params.bilateral_weight, exact_filter(alike))]
    flat = probabilities.reshape(-1, probabilities.shape[-1])
    return mean_field(flat, kernels, params.iterations).reshape(probabilities.shape)


@pytest.mark.parametrize(("shape", "iterations"), [((4, 5, 3), 3), ((6, 3, 2), 1), ((1, 7, 4), 5)])
def test_mean_field_is_the_papers_on_the_exact_kernels(shape, iterations):
    image, probabilities = case(*shape, seed=iterations)
    params = CrfParams(iterations, 1.5, 2.0, 4.0, 90.0, 3.0)
    np.testing.assert_allclose(
        exact(image, probabilities, params), stated(image, probabilities, params), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(("dimensions", "spread", "tolerance"), [(1, 5, 0.03), (2, 8, 0.03), (5, 3, 0.08)])
def test_the_lattice_filters_almost_as_the_exact_gaussian(dimensions, spread, tolerance):
    """The root-mean-square error stays under a share of the values' spread: 3 % in 2 dimensions, 8 % in 5."""
    rng = np.random.default_rng(dimensions)
    features = spread * rng.random((1200, dimensions))
    values = np.stack([features[:, 0], np.sin(features).sum(axis=1), features[:, -1] > spread / 2], axis=1)
    ours = per_row(gaussian_filter(features), values.astype(np.float32))
    theirs = per_row(exact_filter(features), values)

    def apart(a, b):
        return np.sqrt(((a - b) ** 2).mean(axis=0)) / values.std(axis=0)

    assert (apart(ours, theirs) < tolerance).all()
    assert (apart(values, theirs) > 4 * tolerance).all()


def test_single_values_spread_as_the_gaussian_does_and_in_the_mean_as_far():
    places = np.indices((41, 41)).reshape(2, -1).T / 4.0
    middle = np.flatnonzero((abs(places - 5) < 1).all(axis=1))
    impulses = np.zeros((len(places), len(middle)), np.float32)
    impulses[middle, range(len(middle))] = 1
    ours, theirs = (kernel(impulses) for kernel in (gaussian_filter(places), exact_filter(places)))
    ours, theirs = ours / ours.sum(axis=0), theirs / theirs.sum(axis=0)
    assert (abs(ours - theirs).sum(axis=0) / 2 < 0.07).all()
    for axis in (0, 1):
        squares = (places[:, axis, None] - places[middle, axis]) ** 2
        assert (ours * squares).sum(axis=0).mean() == pytest.approx(1, rel=0.01)


def test_what_is_far_apart_does_not_mix():
    features = np.repeat([[0.0] * 5, [30.0] * 5], 3, axis=0)
    values = np.array([[1], [2], [3], [0], [0], [0]], np.float32)
    filtered = gaussian_filter(features)(values)
    assert (filtered[:3] > 0).all()
    np.testing.assert_array_equal(filtered[3:], 0)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(20)), elements=st.floats(-100, 100, width=16)))
def test_every_point_is_shared_out_among_the_vertices_of_one_simplex(features):
    found = _simplices(features)
    assert found.keys.shape == found.shares.shape == (len(features) + 1, 20)
    assert (found.shares > -1e-4).all()
    np.testing.assert_allclose(found.shares.sum(axis=0), 1, atol=1e-5)
    assert np.isin(np.diff(np.sort(found.keys, axis=0), axis=0), _edges(found.steps)).all()


def _edges(steps):
    """Every sum of some of the lattice's directions: the ways from one vertex of a simplex to another."""
    sums = [0]
    for step in steps.tolist():
        sums += [total + step for total in sums]
    return np.setdiff1d(np.abs(sums), [0])


def test_the_whole_crf_is_close_to_the_exact_one():
    ramp = np.linspace(40, 90, 24)[None, :, None] + np.array([0, 10, 30])
    image = np.broadcast_to(ramp, (18, 24, 3)).astype(np.uint8).copy()
    image[:, 12:] += 120
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), (18, 24)).astype(np.float32)
    params = CrfParams(5, 3.0, 3.0, 15.0, 20.0, 5.0)
    ours, theirs = refined_by_crf(image, probabilities, params), exact(image, probabilities, params)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours.sum(axis=-1), 1, atol=1e-5)
    assert abs(ours - theirs).mean() < 0.02
    assert abs(probabilities - theirs).mean() > 0.1


def noisy_halves():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 13:] = 200
    truth = (image[..., 0] > 0).astype(int)
    rng = np.random.default_rng(1)
    wrong = rng.random(truth.shape) < 0.25
    return image, truth, np.where((truth ^ wrong)[..., None] == np.arange(2), 0.7, 0.3).astype(np.float32)


def test_noise_goes_and_the_border_follows_the_colours():
    image, truth, probabilities = noisy_halves()
    assert (probabilities.argmax(axis=-1) == truth).mean() < 0.8
    refined = refined_by_crf(image, probabilities, CrfParams())
    np.testing.assert_array_equal(refined.argmax(axis=-1), truth)
    assert refined.tobytes() == refined_by_crf(image, probabilities, CrfParams()).tobytes()


@pytest.mark.parametrize("changes", [{"iterations": 0}, {"gaussian_weight": 0.0, "bilateral_weight": 0.0}])
def test_no_field_leaves_the_probabilities(changes):
    image, probabilities = case(7, 9, 3, seed=5)
    refined = refined_by_crf(image, probabilities, CrfParams()._replace(**changes))
    np.testing.assert_allclose(refined, probabilities, atol=1e-6)


@pytest.mark.parametrize("name", CrfParams._fields)
def test_every_parameter_changes_the_result(name):
    image, probabilities = case(12, 14, 3, seed=6)
    image = image // 8 + 100
    params = CrfParams(2, 2.0, 1.0, 5.0, 30.0, 1.0)
    changed = params._replace(**{name: type(params[0])(2) * getattr(params, name)})
    difference = refined_by_crf(image, probabilities, params) - refined_by_crf(image, probabilities, changed)
    assert abs(difference).max() > 1e-3


def test_certain_predictions_stay_finite():
    image, _ = case(6, 8, 2, seed=7)
    certain = np.eye(2, dtype=np.float32)[np.arange(48).reshape(6, 8) % 2]
    refined = refined_by_crf(image, certain, CrfParams())
    assert np.isfinite(refined).all()


def test_a_kernel_too_narrow_for_the_keys_is_refused():
    with pytest.raises(InputError, match=r"raise their sigmas. Received: features over \d+ x \d+ x"):
        gaussian_filter(np.array([[0.0] * 5, [1e5] * 5]))
