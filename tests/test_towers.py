"""The towers of one graph: their turns, their exchanges, and what they compute of a batch."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from replica_steps import BATCHES, LAYERS, batch, loss_step, one

from maskline.engine import replicas, towers
from maskline.engine.towers import tower_count
from maskline.params.train import LossParams


def in_graph(work, parts):
    """Return what towers compute of their parts, in a graph."""

    @tf.function(autograph=False)
    def traced():
        return replicas.in_towers(work, [[tf.constant(each) for each in part] for part in parts])

    return traced()


def halves(*whole):
    return list(zip(*(np.split(each, 2) for each in whole), strict=True))


@pytest.mark.parametrize("count", [2, 3])
def test_towers_exchange_in_the_order_of_their_ranks(count):
    traced = []

    def work(x):
        traced.append(("first", replicas.rank()))
        total = replicas.all_sum(x)
        traced.append(("then", replicas.rank()))
        return total, replicas.gather(x), replicas.own_rows(replicas.gather(x)), replicas.drawn_once(lambda: x)

    parts = [np.float32([[rank, 2 * rank]]) for rank in range(count)]
    rows = np.concatenate(parts)
    for rank, (total, gathered, own, drawn) in enumerate(in_graph(work, [(part,) for part in parts])):
        np.testing.assert_array_equal(total, rows.sum(axis=0, keepdims=True))
        np.testing.assert_array_equal(gathered, rows)
        np.testing.assert_array_equal(own, parts[rank])
        np.testing.assert_array_equal(drawn, parts[0])
    assert traced == [(turn, rank) for turn in ("first", "then") for rank in range(count)]


def test_outside_of_towers_there_is_one_replica_again():
    assert in_graph(lambda x: (replicas.count(), replicas.owns_variables()), [(1.0,), (2.0,)]) == [
        (2, True),
        (2, False),
    ]
    assert (replicas.rank(), replicas.count(), replicas.owns_variables()) == (0, 1, True)


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_a_tower_ends_all(failing):
    def work(x):
        if replicas.rank() == failing:
            raise ValueError(f"tower {failing}")
        return replicas.all_sum(x)

    before = threading.active_count()
    with pytest.raises(ValueError, match=f"tower {failing}"):
        in_graph(work, [(1.0,), (2.0,)])
    assert threading.active_count() == before


def test_towers_that_do_not_exchange_alike_are_refused():
    with pytest.raises((TypeError, ValueError)):
        in_graph(lambda x: replicas.all_sum(x) if replicas.rank() else x, [(1.0,), (2.0,)])


@pytest.mark.parametrize("name", LossParams.model_fields)
@pytest.mark.parametrize("kind", BATCHES)
def test_a_loss_and_its_gradient_are_those_of_the_whole_batch(name, kind):
    labels = batch(kind, 4)[1]
    logits = np.random.default_rng(7).normal(0, 2, (*labels.shape, 3)).astype(np.float32)
    whole, gradient = loss_step(name)(tf.constant(labels), tf.constant(logits))

    def work(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = one(name)(labels, logits)
            counted = replicas.counted_once(loss)
        return loss, tape.gradient(counted, logits)

    losses, gradients = zip(*in_graph(work, halves(labels, logits)), strict=True)
    assert losses[0].numpy() == losses[1].numpy() == pytest.approx(whole.numpy(), rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(np.concatenate(gradients), gradient, atol=1e-5 * np.abs(gradient.numpy()).max())


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_works_on_the_whole_batch_and_changes_its_variables_once(layer):
    random = np.random.default_rng(1)
    x, outer = (random.normal(3, 2, (4, 5, 6, 3)).astype(np.float32) for _ in range(2))

    def results(parts):
        keras.utils.set_random_seed(3)
        made = LAYERS[layer]()
        made.build(x.shape)

        def work(x, outer):
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = made(x, training=True)
            return outputs, tape.gradient(outputs, [x, *made.trainable_variables], output_gradients=outer)

        found = in_graph(work, parts) if len(parts) > 1 else [work(*map(tf.constant, parts[0]))]
        outputs, gradients = zip(*found, strict=True)
        ofs = [sum(each) for each in zip(*(of[1:] for of in gradients), strict=True)]
        of_x = np.concatenate([of[0] for of in gradients])
        return [np.concatenate(outputs), of_x, *ofs, *(each.numpy() for each in made.variables)]

    for part, whole in zip(results(halves(x, outer)), results([(x, outer)]), strict=True):
        np.testing.assert_allclose(part, whole, atol=0 if "dropout" in layer else 1e-5 * np.abs(whole).max())


@pytest.mark.parametrize(
    ("threads", "images", "count"),
    [(1, 8, 1), (2, 8, 2), (2, 7, 1), (3, 8, 2), (3, 9, 3), (4, 6, 3), (16, 8, 4), (16, 10, 2), (16, 1, 1)],
)
def test_a_batch_is_divided_evenly_over_at_most_four_threads(threads, images, count, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", str(threads))
    assert tower_count(images, 1 << 20) == count


def test_a_small_batch_and_one_on_a_gpu_are_not_divided(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    assert (tower_count(8, 128 * 128 - 1), tower_count(8, 128 * 128)) == (1, 2)
    monkeypatch.setattr(towers.tf.config, "list_logical_devices", lambda kind: [kind])
    assert tower_count(8, 128 * 128) == 1
