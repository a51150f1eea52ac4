import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_data import pairs, write_raw

from maskline.contracts.manifest import read_manifest
from maskline.shards.read.augment import color_jitter
from maskline.shards.read.batches import ordered_batches, steps_per_epoch, training_batches
from maskline.shards.read.draws import DRAWS, epoch_order, uniform
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

ROOT = Path(__file__).parents[1]
BRIGHTNESS = color_jitter(0.3, 0, 0)
SEEDS = st.integers(0, 2**31 - 1)
EPOCHS = st.integers(0, 100_000)
DIGEST = """
import hashlib, numpy as np
from maskline.shards.read.draws import epoch_order, uniform
print(hashlib.sha256(epoch_order(7, 3, 1000).tobytes() + uniform(7, 3, np.arange(50), 8).tobytes()).hexdigest())
"""


def nothing(image, labels, draws):
    pass


def noise(image, labels, draws):
    labels[0] = (255 * draws[:6]).astype(np.uint8)


class Numbered:
    """A split whose every image is filled with its number."""

    size = (4, 6)

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def read(self, indices, empty):
        images, labels = empty((len(indices), *self.size, 3)), empty((len(indices), *self.size))
        images[...] = np.asarray(indices)[:, None, None, None]
        labels[...] = np.asarray(indices)[:, None, None]
        return images, labels


def batches(examples, size, steps, seed=5, augment=nothing, **place):
    made = training_batches(Numbered(examples), size, augment, seed, steps, **place)
    return [SimpleNamespace(images=i.copy(), labels=m.copy()) for i, m in made.as_numpy_iterator()]


def order(found):
    return np.concatenate([batch.labels[:, 0, 0] for batch in found])


# Draws.


@given(SEEDS, EPOCHS, st.integers(0, 300))
def test_the_order_is_a_permutation(seed, epoch, count):
    assert sorted(epoch_order(seed, epoch, count)) == list(range(count))


def test_orders_differ_between_epochs_and_seeds_and_from_the_files_order():
    """Spearman's rank correlation of 1000 examples is within 0.13 but once in 30,000 for true permutations."""
    orders = [epoch_order(seed, epoch, 1000) for seed in (0, 1, 2**31 - 1) for epoch in range(5)]
    for index, one in enumerate(orders):
        for other in [np.arange(1000), *orders[:index]]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.13


def test_every_example_stands_everywhere():
    """Where an example stands over the epochs is uniform: the mean of 400 places of each is near the middle."""
    places = np.array([np.argsort(epoch_order(1, epoch, 50)) for epoch in range(400)])
    assert np.abs(places.mean(axis=0) - 24.5).max() < 3.5
    assert (np.bincount(places[:, 0], minlength=50) > 0).all()


@given(SEEDS, EPOCHS, st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.integers(1, 9))
def test_draws_are_in_range_and_do_not_depend_on_the_batch(seed, epoch, examples, count):
    whole = uniform(seed, epoch, np.array(examples), count)
    assert whole.shape == (len(examples), count) and whole.dtype == np.float32
    assert (whole >= 0).all() and (whole < 1).all()
    for example, row in zip(examples, whole, strict=True):
        np.testing.assert_array_equal(uniform(seed, epoch, np.array([example]), count)[0], row)
    np.testing.assert_array_equal(uniform(seed, epoch, np.array(examples), count + 1)[:, :count], whole)


def test_draws_are_uniform_and_uncorrelated():
    draws = uniform(1, 0, np.arange(20_000), 8)
    assert np.abs(draws.mean(axis=0) - 0.5).max() < 0.01
    assert np.abs(draws.var(axis=0) - 1 / 12).max() < 0.002
    for counts in (np.histogram(column, 20, (0, 1))[0] for column in draws.T):
        assert np.abs(counts - 1000).max() < 150
    following = uniform(1, 1, np.arange(20_000), 8), uniform(2, 0, np.arange(20_000), 8)
    place = np.argsort(epoch_order(1, 0, 20_000))[:, None]
    correlations = np.corrcoef(np.hstack([draws, *following, place]), rowvar=False)
    assert np.abs(correlations - np.eye(len(correlations))).max() < 0.03
    assert np.abs(np.corrcoef(draws[1:, 0], draws[:-1, 0])[0, 1]) < 0.03


def test_two_processes_draw_the_same():
    run = [sys.executable, "-c", DIGEST]
    done = [
        subprocess.run(
            run, env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)}, capture_output=True, text=True, check=True
        )
        for seed in (1, 2)
    ]
    assert done[0].stdout == done[1].stdout and len(done[0].stdout) == 65


# Batches.


@pytest.mark.parametrize(("examples", "size", "steps"), [(10, 3, 3), (9, 3, 3), (2, 16, 1), (16, 16, 1), (17, 16, 1)])
def test_steps_per_epoch(examples, size, steps):
    assert steps_per_epoch(examples, size) == steps


def test_an_epoch_shows_each_example_once_but_the_rest_of_a_batch():
    found = batches(22, 5, range(12))
    assert all(batch.images.shape == (5, 4, 6, 3) for batch in found)
    epochs = order(found).reshape(3, 20)
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert len({frozenset(range(22)) - set(epoch) for epoch in epochs.tolist()}) > 1


def test_images_and_labels_belong_together():
    for epoch, batch in enumerate(batches(8, 8, range(3))):
        numbers = batch.labels[:, 0, 0]
        np.testing.assert_array_equal(numbers, epoch_order(5, epoch, 8))
        assert (batch.labels == numbers[:, None, None]).all()
        assert (batch.images == numbers[:, None, None, None]).all()


def test_each_example_is_augmented_by_its_own_draws_of_the_epoch():
    plain, augmented = (batches(8, 8, range(3), augment=augment) for augment in (nothing, BRIGHTNESS))
    for epoch, (before, after) in enumerate(zip(plain, augmented, strict=True)):
        numbers = before.labels[:, 0, 0].astype(int)
        for image, mask, draws in zip(before.images, before.labels, uniform(5, epoch, numbers, DRAWS), strict=True):
            BRIGHTNESS(image, mask, draws)
        np.testing.assert_array_equal(after.images, before.images)
        assert (after.images != after.labels[..., None]).any()


def test_batches_that_are_kept_do_not_change():
    """Memory is used again, but never under a tensor, or a part of one, that someone holds."""
    made = training_batches(Numbered(64), 2, nothing, 5, range(96))
    tensors = list(made)
    parts = [np.asarray(images)[1] for images, _ in tensors]
    again = [labels.numpy()[:, 0, 0].tolist() for _, labels in made]
    assert [labels.numpy()[:, 0, 0].tolist() for _, labels in tensors] == again
    del tensors
    list(made)
    assert [part[0, 0, 0] for part in parts] == [numbers[1] for numbers in again]


@pytest.mark.parametrize("start", [1, 3, 4, 7, 11])
def test_a_run_from_any_step_is_the_rest_of_the_whole_run(start):
    whole, rest = batches(22, 5, range(12)), batches(22, 5, range(start, 12))
    assert len(rest) == 12 - start
    for one, other in zip(whole[start:], rest, strict=True):
        for field in ("images", "labels"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_another_seed_gives_another_order():
    assert order(batches(50, 10, range(5))).tolist() != order(batches(50, 10, range(5), seed=6)).tolist()


def test_a_split_smaller_than_a_batch_makes_one_batch():
    found = batches(3, 16, range(4))
    assert len(found) == 4
    assert all(sorted(batch.labels[:, 0, 0]) == [0, 1, 2] for batch in found)


@pytest.mark.parametrize(("count", "size"), [(10, 3), (9, 3), (2, 16), (1, 1)])
def test_ordered_batches_show_everything_once_in_order(count, size):
    found = list(ordered_batches(Numbered(count), size).as_numpy_iterator())
    assert np.concatenate([labels[:, 0, 0] for _, labels in found]).tolist() == list(range(count))
    assert [len(labels) for _, labels in found[:-1]] == [size] * (len(found) - 1)
    assert all((images == labels[..., None]).all() for images, labels in found)


@pytest.mark.parametrize("workers", [2, 3])
def test_the_workers_parts_are_the_batch_of_one_worker_in_order(workers):
    whole = batches(20, 6, range(5), augment=noise)
    for name in ("images", "labels"):
        parts = [
            [getattr(b, name) for b in batches(20, 6, range(5), augment=noise, rank=rank, count=workers)]
            for rank in range(workers)
        ]
        for step, batch in enumerate(whole):
            np.testing.assert_array_equal(np.concatenate([part[step] for part in parts]), getattr(batch, name))


@pytest.mark.parametrize("examples", [1, 6, 7, 20])
def test_workers_share_out_whole_batches_of_a_split_in_order(examples):
    whole = [labels for _, labels in ordered_batches(Numbered(examples), 3).as_numpy_iterator()]
    for rank in range(3):
        part = [labels for _, labels in ordered_batches(Numbered(examples), 3, rank, 3).as_numpy_iterator()]
        assert [labels.tolist() for labels in part] == [labels.tolist() for labels in whole[rank::3]]


@pytest.mark.parametrize("encoding", ["raw", "png", "jpeg"])
def test_batches_of_shards_hold_what_the_reader_reads(tmp_path, in_process, encoding):
    write_raw(tmp_path / "raw", {"train": pairs(7), "validation": pairs(1, 1), "test": pairs(1, 2)})
    options = SplitOptions(seed=3, limit=None, validation_fraction=0.25)
    build_shards(tmp_path / "raw", tmp_path / "shards", Target(24, 16, encoding), 3, options)
    reader = ShardReader(tmp_path / "shards", read_manifest(tmp_path / "shards"), "train")
    for step, (images, labels) in enumerate(training_batches(reader, 3, nothing, 1, range(4)).as_numpy_iterator()):
        expected = reader.read(epoch_order(1, step // 2, 7)[step % 2 * 3 : step % 2 * 3 + 3])
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(labels, expected[1])
    whole = list(ordered_batches(reader, 3).as_numpy_iterator())
    np.testing.assert_array_equal(np.concatenate([images for images, _ in whole]), reader.read(range(7))[0])
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in whole]), reader.read(range(7))[1])


def test_opencv_has_one_thread_where_batches_are_made_and_its_own_before() -> None:
    code = (
        "import cv2; cv2.setNumThreads(3); import test_batches; assert cv2.getNumThreads() == 3; "
        "test_batches.batches(4, 2, range(1)); assert cv2.getNumThreads() == 1"
    )
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests/support'}"}
    subprocess.run([sys.executable, "-c", code], env=os.environ | path, check=True)
