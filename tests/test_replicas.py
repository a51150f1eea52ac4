"""Two workers with half a batch each take the step that one worker takes with the whole batch."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import build, without_values
from replica_steps import BATCHES, CASES, LAYERS, STEPPED, VARIANTS, network_results
from workers import run_workers

from maskline.engine import replicas
from maskline.models.catalogue import NETWORKS
from maskline.models.layers.dropout import Dropout, MonteCarloDropout
from maskline.models.layers.normalization import BatchNormalization
from maskline.params.train import LossParams

SCRIPT = Path(__file__).parent / "support/replica_steps.py"
LOSSES = [case for case in CASES if case not in {**VARIANTS, **LAYERS}]
# The order of a sum changes its last bit, which every further normalization magnifies.
LOSS = {"fcn32s, bfloat16": 1e-2, "fcn32s, float16": 2e-3}
# A last bit can also decide which way a ReLU or a maximum goes, and so where a gradient goes.
GRADIENT = {"fcn32s, bfloat16": 0.1}


def results(folder, count):
    """Return each worker's arrays, by case and name."""
    run_workers(SCRIPT, folder, count, seconds=1500)
    found = []
    for rank in range(count):
        by_case = {}
        with np.load(folder / f"{rank}.npz") as archive:
            for key, value in archive.items():
                case, _, name = key.partition("|")
                by_case.setdefault(case, {})[name] = value
        found.append(by_case)
    return found


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return results(tmp_path_factory.mktemp("two"), 2)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return results(tmp_path_factory.mktemp("one"), 1)[0]


def variables(found):
    """Return the variables after a step, by number and name."""
    return {name: value for name, value in found.items() if name[0].isdigit()}


def step(found):
    """Return how far a step moved the weights, as one vector."""
    moved = [
        np.ravel(value - found[f"first {name[:4]}"]).astype(np.float64)
        for name, value in variables(found).items()
        if value.dtype == np.float32 and "moving" not in name
    ]
    return np.concatenate(moved)


def test_every_network_and_loss_is_covered():
    """The first steps of some networks, the layers of all."""
    assert {variant for variant in VARIANTS if variant in NETWORKS} == set(STEPPED)
    assert set(LOSSES) == {f"{name}, {kind}" for name in LossParams.model_fields for kind in BATCHES}


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        *((name, None) for name in sorted(set(NETWORKS) - set(STEPPED))),
        *(("unet_pix2pix", encoder) for encoder in ("mobilenet_v2", "efficientnet_b0", "densenet121")),
    ],
)
def test_a_network_joins_images_only_in_layers_that_work_on_the_whole_batch(name, encoder):
    """Batch normalization, and what draws random numbers for a batch; all other layers work image by image."""
    with without_values():
        layers = list(build(name, encoder, dropout=0.3).network._flatten_layers())
    joining = [each for each in layers if isinstance(each, keras.layers.BatchNormalization) or each._seed_generators]
    assert joining and all(isinstance(each, BatchNormalization | Dropout | MonteCarloDropout) for each in joining)


@pytest.mark.slow
@pytest.mark.parametrize("case", LOSSES)
def test_a_loss_and_its_gradient_are_those_of_the_whole_batch(case, two, one):
    whole, parts = one[case], [worker[case] for worker in two]
    assert parts[0]["loss"] == parts[1]["loss"] == pytest.approx(whole["loss"], rel=1e-6, abs=1e-9)
    gradient = np.concatenate([part["gradient"] for part in parts])
    np.testing.assert_allclose(gradient, whole["gradient"], atol=1e-5 * np.abs(whole["gradient"]).max())
    assert all(found["reruns"] for found in (*parts, whole))
    if "all void" in case:
        assert whole["loss"] == 0 and not gradient.any()


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_works_on_the_whole_batch(layer, two, one):
    whole, parts = one[layer], [worker[layer] for worker in two]
    tolerance = 0 if "dropout" in layer else 1e-5
    for name in ("outputs", "gradient"):
        np.testing.assert_allclose(np.concatenate([part[name] for part in parts]), whole[name], atol=tolerance)
    for name in whole.keys() - {"outputs", "gradient"}:
        np.testing.assert_array_equal(parts[0][name], parts[1][name])
        np.testing.assert_allclose(parts[0][name], whole[name], atol=tolerance * np.abs(whole[name]).max())


def assert_the_same_step(variant, whole, part):
    assert part["loss"] == pytest.approx(whole["loss"], rel=LOSS.get(variant, 1e-6))
    expected = step(whole)
    assert np.linalg.norm(step(part) - expected) < GRADIENT.get(variant, 0.02) * np.linalg.norm(expected) > 0
    for name, value in variables(whole).items():
        if "moving" in name:
            scale = max(np.abs(value).max(), 1e-3)
            np.testing.assert_allclose(part[name], value, atol=100 * LOSS.get(variant, 1e-6) * scale)
        elif "seed" in name:
            np.testing.assert_array_equal(part[name], value)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_networks_first_step_is_that_of_the_whole_batch(variant, two, one):
    assert_the_same_step(variant, one[variant], two[0][variant])


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_networks_first_step_in_towers_is_that_of_the_whole_batch(variant, one):
    towers = network_results(variant, towers=2)
    assert towers["reruns"]
    assert_the_same_step(variant, one[variant], towers)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_workers_agree_to_the_byte_and_exchange_in_one_order(variant, two, one):
    first, second = (worker[variant] for worker in two)
    assert first.keys() == second.keys() and first["exchanges"].size
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    assert first["reruns"] and one[variant]["reruns"] and not one[variant]["exchanges"].size


def test_one_worker_computes_without_exchanges():
    x = tf.constant([1.0, 2.0])
    assert (replicas.rank(), replicas.count()) == (0, 1)
    assert all(function(x) is x for function in (replicas.all_sum, replicas.gather, replicas.own_rows))
    assert replicas.all_sums([x])[0] is x and replicas.counted_once(x) is x


def test_a_worker_can_compute_alone():
    replicas.join(1, 2)
    try:
        with replicas.alone():
            assert (replicas.rank(), replicas.count()) == (0, 1)
        assert (replicas.rank(), replicas.count()) == (1, 2)
        np.testing.assert_array_equal(replicas.own_rows(tf.constant([[1], [2], [3], [4]])), [[3], [4]])
        np.testing.assert_array_equal(replicas.counted_once(tf.constant(5.0)), 0)
    finally:
        replicas.join(0, 1)
