import hashlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from processes import none_left
from raw_data import PALETTE, Pair, encoded, painted, pairs, scene, source, write_raw

from maskline.contracts.classes import VOID
from maskline.contracts.manifest import Manifest, read_manifest
from maskline.errors import ArtifactError, InputError
from maskline.shards.read.reader import ShardReader
from maskline.shards.tfrecord import records
from maskline.shards.write import duplicates as search
from maskline.shards.write import shards
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.shards.write.duplicates import duplicates
from maskline.shards.write.shard_statistics import ShardStatistics
from maskline.shards.write.splits import ClassPresence, stratified

ROOT = Path(__file__).parents[1]
ROLES = ("train", "validation", "test")
RAW = Target(32, 32, "raw")
RNG = np.random.default_rng(5)
OPTIONS = SplitOptions(seed=3, limit=None, validation_fraction=0.25)
BUILD = """
import sys
from pathlib import Path
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
OPTIONS = SplitOptions(3, None, 0.25)
if __name__ == "__main__":
    build_shards(Path("raw"), Path(sys.argv[1]), Target(32, 32, "png"), int(sys.argv[3]), OPTIONS, int(sys.argv[2]))
"""


def build(tmp_path, splits, about=None, target=RAW, options=OPTIONS, size=4):
    """Write a raw data set and build its shards."""
    write_raw(tmp_path / "raw", splits, about)
    build_shards(tmp_path / "raw", tmp_path / "shards", target, size, options)
    return tmp_path / "shards"


def three(train=6, validation=2, test=3):
    """Return a data set with all three splits, no two images alike."""
    counts = {"train": train, "validation": validation, "test": test}
    return {role: pairs(count, seed, role) for seed, (role, count) in enumerate(counts.items())}


def opened(shards, role):
    return ShardReader(shards, read_manifest(shards), role)


def audit_of(shards):
    return json.loads((shards / "audit.json").read_text())


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def problem(tmp_path, splits, about=None, options=OPTIONS, size=4):
    """Return the sentence of a data set that cannot be used, which must leave the earlier shards whole."""
    shards = tmp_path / "shards"
    shards.mkdir()
    (shards / "earlier").write_text("whole")
    with pytest.raises(InputError) as caught:
        build(tmp_path, splits, about, options=options, size=size)
    assert digests(shards) == {"earlier": hashlib.sha256(b"whole").hexdigest()}
    assert sorted(os.listdir(tmp_path)) == ["raw", "shards"]
    return str(caught.value)


# What is written.


def test_bytes_are_the_same_for_any_workers_and_hash_seed(tmp_path):
    """Real runs with one, two and three workers, each under a hash seed of its own."""
    write_raw(tmp_path / "raw", {"train": pairs(13), "test": pairs(5, 1, "held")})
    results = []
    for workers in (1, 2, 3):
        done = subprocess.run(
            [sys.executable, "-c", BUILD, f"out{workers}", str(workers), "4"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(workers)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        results.append(digests(tmp_path / f"out{workers}"))
    # Shards of train, validation and test, manifest and audit, pictures of each split and their index.
    assert len(results[0]) == (3 + 1 + 2) + 2 + (4 + 3 + 4 + 1)
    assert results == [results[0]] * 3


@pytest.mark.parametrize("encoding", ["raw", "png", "jpeg"])
def test_every_encoding_reads_back(tmp_path, in_process, encoding):
    examples = pairs(3)
    shards = build(
        tmp_path, {"train": examples, "validation": pairs(1, 1), "test": pairs(1, 2)}, target=Target(20, 24, encoding)
    )
    reader = opened(shards, "train")
    assert reader.size == (20, 24) and reader.names == [pair.name for pair in examples]
    images, labels = reader.read(range(3))
    for pair, image, mask in zip(examples, images, labels, strict=True):
        expected = _decoded(pair.image).resize((24, 20), Image.Resampling.BILINEAR)
        if encoding == "jpeg":
            assert np.abs(image.astype(int) - np.asarray(expected)).mean() < 8
        else:
            np.testing.assert_array_equal(image, np.asarray(expected))
        np.testing.assert_array_equal(mask, np.asarray(_decoded(pair.mask).resize((24, 20), Image.Resampling.NEAREST)))


def _decoded(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("size", [(32, 32), (64, 40), (17, 23), (80, 96)])
def test_image_and_mask_stay_aligned(tmp_path, in_process, size):
    """The image's colour says its label: away from edges it must still say the mask's after both are resized."""
    labels = np.kron(np.array([[0, 1, 2], [2, 0, 1], [1, 255, 0]], np.uint8), np.ones((20, 16), np.uint8))
    pair = Pair("probe", encoded(painted(labels)), encoded(labels))
    shards = build(
        tmp_path, {"train": [pair], "validation": pairs(1), "test": pairs(1, 1)}, target=Target(*size, "raw")
    )
    (image,), (mask,) = opened(shards, "train").read([0])
    assert set(np.unique(mask)) == set(np.unique(labels))
    rows = (np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]
    columns = (np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]
    np.testing.assert_array_equal(mask, labels[rows.astype(int)][:, columns.astype(int)])
    agrees = (image == painted(mask)).all(axis=2)
    away = (np.abs((rows - 10) % 20 - 10) > 5)[:, None] & (np.abs((columns - 8) % 16 - 8) > 4)
    assert away.mean() > 0.15 and agrees[away].all()


def test_manifest_counts_what_the_shards_hold(tmp_path, in_process):
    shards = build(tmp_path, three(), size=4)
    manifest = read_manifest(shards)
    assert [shard.file for shard in manifest.splits["train"].shards] == [
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
    ]
    for role in ROLES:
        split = manifest.splits[role]
        _, labels = opened(shards, role).read(range(split.examples))
        assert split.pixels == [(labels == label).sum() for label in range(3)]
        assert split.images_with_class == [(labels == label).any(axis=(1, 2)).sum() for label in range(3)]
        assert split.void_pixels == (labels == VOID).sum() > 0
        for shard in split.shards:
            data = (shards / shard.file).read_bytes()
            assert (shard.bytes, shard.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert [split.examples for split in manifest.splits.values()] == [6, 2, 3]
    assert manifest.classes[2].name == "crème brûlée" and manifest.void_label == 255


def test_examples_without_a_name_feature_are_named_by_their_place(tmp_path, in_process):
    splits = three(2, 1, 1)
    shards = build(tmp_path, splits, source(filename_feature=None, splits={role: role for role in splits}))
    assert opened(shards, "train").names == ["train-00000000", "train-00000001"]


def test_color_masks_become_labels(tmp_path, in_process):
    labels = scene(np.random.default_rng(0))
    pair = Pair("photo", encoded(painted(labels)), encoded(painted(labels)))
    hexes = ["#{:02x}{:02x}{:02x}".format(*color) for color in PALETTE[:3].tolist()]
    about = source(
        masks="color",
        labels={color: label for label, color in enumerate(hexes)},
        void=["#808080"],
        splits={role: role for role in ROLES},
    )
    splits = {role: [pair._replace(name=role)] for role in ROLES}
    shards = build(tmp_path, splits, about, target=Target(*labels.shape, "raw"))
    np.testing.assert_array_equal(opened(shards, "train").read([0])[1][0], labels)


# The audit.


def test_audit_of_a_case_worked_by_hand(tmp_path, in_process):
    """Square masks of one size, so that no pixel is resized: each share can be read off the masks."""

    def mask(*rows):
        return encoded(np.repeat(np.array(rows, np.uint8)[:, None], 32, axis=1))

    half, quarter = mask(*[0] * 16, *[1] * 16), mask(*[0] * 16, *[2] * 8, *[255] * 8)
    plain = [encoded(RNG.integers(0, 256, (32, 32, 3), np.uint8)) for _ in range(4)]
    grey = encoded(RNG.integers(0, 256, (32, 32), np.uint8))
    alpha = encoded(RNG.integers(0, 256, (32, 32, 4), np.uint8))
    splits = {
        "train": [Pair("a", plain[0], half), Pair("b", plain[1], quarter), Pair("c", grey, half)],
        "validation": [Pair("d", plain[2], half), Pair("e", plain[0], half)],
        "test": [Pair("f", alpha, quarter), Pair("g", plain[3], half)],
    }
    audit = audit_of(build(tmp_path, splits))
    assert audit["source"] == {"name": "tiny", "version": "1.0.0"}
    assert audit["images"] == {"train": 3, "validation": 2, "test": 2}
    assert audit["left_out_by_limit"] == {"train": 0, "validation": 0, "test": 0}
    assert audit["left_out_by_lists"] == 0
    assert audit["original_size"] == {"smallest": [32, 32], "largest": [32, 32]}
    assert audit["void_share"] == {"train": round(8 / 96, 6), "validation": 0, "test": 0.125}
    sky, tree, creme = "sky", "tree", "crème brûlée"
    assert audit["class_share"]["train"] == {sky: round(48 / 88, 6), tree: round(32 / 88, 6), creme: round(8 / 88, 6)}
    assert audit["class_share"]["test"] == {sky: round(32 / 56, 6), tree: round(16 / 56, 6), creme: round(8 / 56, 6)}
    assert audit["images_with_class"]["train"] == {sky: 3, tree: 2, creme: 1}
    assert audit["class_drift"]["validation"] == round((48 / 88 - 0.5 + 0.5 - 32 / 88 + 8 / 88) / 2, 6)
    assert audit["converted"] == {"greyscale": 1, "alpha": 1, "sixteen_bit": 0, "palette": 0, "exif_rotated": 0}
    assert audit["duplicates"] == {"exact": 1, "near": 0, "pairs": [["exact", "train/a", "validation/e"]]}


def test_near_duplicates_are_found_across_splits_alone(tmp_path, in_process):
    splits = three(4, 2, 2)
    smooth = np.asarray(
        Image.fromarray(RNG.integers(0, 256, (6, 6, 3), np.uint8)).resize((48, 40), Image.Resampling.BICUBIC)
    )
    mask = splits["train"][0].mask
    noisy = np.clip(smooth * 0.6 + 80 + RNG.integers(-1, 2, smooth.shape), 0, 255).astype(np.uint8)  # and brighter
    splits["train"] += [Pair("smooth", encoded(smooth), mask), Pair("again", encoded(smooth), mask)]
    splits["test"] += [Pair("noisy", encoded(noisy), mask)]
    splits["validation"] += [Pair("mirrored", encoded(smooth[:, ::-1].copy()), mask)]
    duplicates = audit_of(build(tmp_path, splits))["duplicates"]
    assert duplicates["exact"] == 0
    pairs_found = {tuple(pair) for pair in duplicates["pairs"]}
    assert ("near", "train/smooth", "test/noisy") in pairs_found
    assert not any("mirrored" in name for pair in pairs_found for name in pair)
    assert not any("again" in name for pair in pairs_found for name in pair)  # equal to another in its own split


def counted(digests, hashes):
    """Return the counts of one shard, for its duplicates alone."""
    counts = ShardStatistics(np.ones(3, np.int64), np.ones(3, np.int64), sizes={(40, 48)})
    counts.names += [str(index) for index in range(len(digests))]
    counts.digests += digests.tobytes()
    counts.hashes += np.packbits(hashes, axis=1).tobytes()
    return counts


def duplicates_of(shards):
    return duplicates({role: [counted(*shard)] for role, shard in shards.items()})


@given(st.integers(0, 2**32 - 1))
def test_duplicates_are_those_of_all_pairs(seed):
    """Few digests and hashes of few origins, so that every distance from 0 to far beyond the limit is there."""
    rng = np.random.default_rng(seed)
    origins, shards = rng.integers(0, 2, (3, 256)), {}
    for role in ROLES:
        digests = np.zeros((30, 2), np.uint64)
        digests[:, 1] = rng.integers(0, 60, 30)
        hashes = origins[digests[:, 1] % 3].copy()
        for row, digest in zip(hashes, digests[:, 1].tolist(), strict=True):
            picked = np.random.default_rng(digest)
            row[picked.choice(256, picked.integers(0, 12), replace=False)] ^= 1
        shards[role] = digests, hashes
    firsts, expected = {}, {"exact": [], "near": []}
    for role, (digests, hashes) in shards.items():
        for index, digest in enumerate(digests[:, 1].tolist()):
            firsts.setdefault((role, digest), (f"{role}/{index}", hashes[index]))
    for (one, first), (other, second) in itertools.combinations(firsts, 2):
        if one != other and (firsts[one, first][1] != firsts[other, second][1]).sum() <= 8:
            names = [firsts[one, first][0], firsts[other, second][0]]
            expected["exact" if first == second else "near"].append(names)
    found = duplicates_of(shards)
    assert (found.exact, found.near) == (len(expected["exact"]), len(expected["near"]))
    assert found.pairs == [(kind, *names) for kind in ("exact", "near") for names in expected[kind]][:50]


def test_images_that_are_all_alike_take_little_memory():
    """All share most of their bits, as dark images with a few lights do; each pair across splits counts."""
    digests = np.arange(1200, dtype=np.uint64).reshape(600, 2)
    hashes = np.arange(256) == RNG.integers(0, 256, (600, 1))
    tracemalloc.start()
    found = duplicates_of({"train": (digests, hashes), "test": (digests + np.uint64(1), hashes)})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.exact == 0 and found.near == 600 * 600
    assert len(found.pairs) == 50 and peak < 4e6


@given(st.integers(0, 60), st.integers(0, 5))
def test_where_too_many_images_are_alike_the_least_number_is_counted(most, seed):
    """Six images of each split are near to each other, and a seventh to that of the other split alone."""
    rng, shards = np.random.default_rng(seed), {}
    for number, role in enumerate(("train", "test")):
        hashes = np.arange(256) == rng.integers(0, 256, (7, 1))
        hashes[6] = np.arange(256) % 2
        shards[role] = np.arange(14, dtype=np.uint64).reshape(7, 2) + np.uint64(14 * number), hashes
    with mock.patch.object(search, "_MOST_COMPARED", most):
        found = duplicates_of(shards)
    assert found.near == 37 or (found.near < 37 and found.near_is_least)
    assert not found.near_is_least or most < 37
    assert ("near", "train/6", "test/6") in found.pairs or most < 7  # those to compare each of test with one


def test_audit_counts_original_sizes_and_what_the_limit_left_out(tmp_path, in_process):
    labels = scene(np.random.default_rng(9), 64, 50)
    splits = three(6, 2, 3)
    splits["test"].append(Pair("large", encoded(painted(labels)), encoded(labels)))
    audit = audit_of(build(tmp_path, splits, options=OPTIONS._replace(limit=4)))
    assert audit["images"] == {"train": 4, "validation": 2, "test": 4}
    assert audit["left_out_by_limit"] == {"train": 2, "validation": 0, "test": 0}
    assert audit["original_size"] == {"smallest": [40, 48], "largest": [64, 50]}


# Which examples.


def names(shards):
    return {role: opened(shards, role).names for role in ROLES}


def test_held_out_validation_is_disjoint_and_depends_on_the_seed(tmp_path, in_process):
    splits = {"train": pairs(16), "test": pairs(3, 1, "test")}
    first = names(build(tmp_path, splits))
    everything = [pair.name for pair in splits["train"]]
    assert sorted(first["train"] + first["validation"]) == everything and len(first["validation"]) == 4
    assert first["train"] == sorted(first["train"])
    assert names(build(tmp_path, splits)) == first
    assert names(build(tmp_path, splits, options=OPTIONS._replace(seed=4)))["validation"] != first["validation"]


def test_a_class_in_one_image_alone_stays_in_train(tmp_path, in_process):
    """To hold it out would be to never train on it."""
    rare = scene(np.random.default_rng(0), classes=4)
    assert 3 in rare
    splits = {"train": [*pairs(11), Pair("rare", encoded(painted(rare)), encoded(rare))], "test": pairs(3, 1)}
    for seed in range(3):
        shards = build(tmp_path, splits, source(4), options=OPTIONS._replace(seed=seed))
        assert "rare" in names(shards)["train"]


PRESENCE = st.integers(1, 5).flatmap(
    lambda classes: st.lists(
        st.lists(st.booleans(), min_size=classes, max_size=classes).filter(any), min_size=1, max_size=30
    )
)


def examples_of(presence):
    return ClassPresence([f"photo {index}" for index in range(len(presence))], np.array(presence))


@given(PRESENCE, st.integers(1, 30), st.integers(0, 5))
def test_a_stratified_choice_has_its_size_and_every_class(presence, count, seed):
    examples, present = examples_of(presence), np.array(presence)
    chosen = stratified(examples, count, seed)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(count, len(present))
    assert set(chosen) <= set(range(len(present)))
    if count >= present.any(axis=0).sum():
        np.testing.assert_array_equal(present[chosen].any(axis=0), present.any(axis=0))


@given(PRESENCE, st.integers(1, 30), st.integers(0, 5))
def test_a_stratified_choice_depends_on_names_alone(presence, count, seed):
    examples = examples_of(presence)
    chosen = {examples.names[index] for index in stratified(examples, count, seed)}
    turned = ClassPresence(examples.names[::-1], examples.present[::-1])
    assert {turned.names[index] for index in stratified(turned, count, seed)} == chosen


@given(PRESENCE.filter(lambda p: len(p) > 1), st.integers(0, 5), st.data())
def test_held_out_examples_leave_every_class_where_that_can_be(presence, seed, data):
    """One image at least is left of each class as long as the images that may go are enough."""
    examples, present = examples_of(presence), np.array(presence)
    count = data.draw(st.integers(1, len(present) - 1))
    chosen = stratified(examples, count, seed, leave_one=True)
    assert len(chosen) == count
    rest = np.delete(present, chosen, axis=0)
    only = present[:, present.sum(axis=0) == 1].any(axis=1)  # images that show a class that no other does
    if count == 1 and not only.all():
        np.testing.assert_array_equal(rest.any(axis=0), present.any(axis=0))


@given(st.lists(st.integers(0, 4), min_size=10, max_size=200), st.integers(0, 5))
def test_both_sides_of_a_hold_out_show_each_class_of_two_images(labels, seed):
    present = np.eye(5, dtype=bool)[labels]
    chosen = stratified(examples_of(present), max(5, len(labels) // 5), seed, leave_one=True)
    twice = present.sum(axis=0) >= 2
    assert present[chosen].any(axis=0)[twice].all()
    assert np.delete(present, chosen, axis=0).any(axis=0)[twice].all()


@given(st.lists(st.integers(0, 3), min_size=40, max_size=200), st.integers(0, 5))
def test_a_stratified_choice_keeps_the_shares(labels, seed):
    present = np.eye(4, dtype=bool)[labels]
    count = len(labels) // 4
    chosen = stratified(examples_of(present), count, seed)
    expected = present.sum(axis=0) * count / len(labels)
    assert np.abs(present[chosen].sum(axis=0) - expected).max() <= 3


def test_an_added_image_moves_few_others():
    rng = np.random.default_rng(0)
    examples = examples_of(rng.random((200, 6)) < 0.3)
    before = {examples.names[index] for index in stratified(examples, 40, 1, leave_one=True)}
    moved = []
    for index in range(20):
        present = np.concatenate([examples.present, rng.random((1, 6)) < 0.3])
        more = ClassPresence([*examples.names, f"added {index}"], present)
        after = {more.names[i] for i in stratified(more, 40, 1, leave_one=True)}
        moved.append(len(before - after))
    assert np.mean(moved) < 4


# What cannot be used.


def test_size_mismatch_is_named(tmp_path, in_process):
    splits = three()
    splits["train"][1] = Pair("my photo é.png", splits["train"][1].image, encoded(np.zeros((48, 40), np.uint8)))
    sentence = problem(tmp_path, splits)
    assert sentence.startswith("image and mask train/my photo é.png differ in size: 40x48 and 48x40 (height x width")


def test_problems_of_a_task_are_counted(tmp_path, in_process):
    splits = three()
    for index in (0, 1, 3):
        splits["train"][index] = splits["train"][index]._replace(image=b"")
    sentence = problem(tmp_path, splits)
    assert "image train/train 000 é.png holds zero bytes" in sentence and "2 more such problems" in sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": b"text"}, "is neither PNG nor JPEG"),
        ({"mask": b""}, "mask test/test 001 é.png holds zero bytes"),
        ({"mask": encoded(np.full((40, 48), 9, np.uint8))}, "has the label 9 at 1920 pixels"),
        ({"mask": encoded(np.zeros((40, 48), np.uint8), "jpeg")}, "is a JPEG, whose compression changes labels"),
    ],
)
def test_a_bad_example_leaves_the_earlier_shards_whole(tmp_path, in_process, change, words):
    splits = three()
    splits["test"][1] = splits["test"][1]._replace(**change)
    sentence = problem(tmp_path, splits)
    assert words in sentence and "test 001 é.png" in sentence


@pytest.mark.parametrize("held_out", [False, True], ids=["three splits", "held out"])
def test_a_class_never_seen_is_named(tmp_path, in_process, held_out):
    splits = three()
    if held_out:
        del splits["validation"]
    sentence = problem(tmp_path, splits, source(4, splits={role: role for role in splits}))
    assert sentence.startswith(
        f"tiny has no pixel of car in its {4 if held_out else 6} train images; raise dataset.limit"
    )


def test_a_class_that_the_limit_loses_is_named(tmp_path, in_process):
    labels = [np.full((40, 48), label, np.uint8) for label in (0, 1, 2)]
    splits = three() | {"train": [Pair(f"{i}", encoded(painted(m)), encoded(m)) for i, m in enumerate(labels)]}
    sentence = problem(tmp_path, splits, options=OPTIONS._replace(limit=2))
    assert "in its 2 train images; raise dataset.limit" in sentence


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_split_is_named(tmp_path, in_process, role):
    sentence = problem(tmp_path, three() | {role: []})
    assert f"tiny/1.0.0 has no examples in the split {role}; add some, or correct the split's list" in sentence


@pytest.mark.parametrize("role", ROLES)
def test_a_split_of_void_alone_is_named(tmp_path, in_process, role):
    splits = three()
    void = encoded(np.full((40, 48), 255, np.uint8))
    splits[role] = [pair._replace(mask=void) for pair in splits[role]]
    sentence = problem(tmp_path, splits)
    assert f"tiny has only void pixels in its {len(splits[role])} {role} images; correct its masks" in sentence


def test_one_train_image_cannot_be_divided(tmp_path, in_process):
    sentence = problem(tmp_path, {"train": pairs(1), "test": pairs(2, 1)})
    assert "train has 1 example, too few to hold out a validation split; add images" in sentence


def test_examples_of_one_name_are_refused(tmp_path, in_process):
    splits = three()
    splits["train"][5] = splits["train"][5]._replace(name=splits["train"][0].name)
    assert "tiny has 2 examples named train/train 000 é.png; give each its own name" in problem(tmp_path, splits)


def test_a_missing_feature_is_named(tmp_path, in_process):
    splits = three()
    write_raw(tmp_path / "raw", splits, source(splits={role: role for role in splits}))
    about = tmp_path / "raw" / "source.json"
    about.write_text(about.read_text().replace('"mask_feature": "mask"', '"mask_feature": "trimap"'))
    with pytest.raises(
        InputError, match=r"no encoded image in the feature trimap; correct .* Received: file_name, image, mask$"
    ):
        build_shards(tmp_path / "raw", tmp_path / "shards", RAW, 4, OPTIONS)


@pytest.mark.parametrize("offset", [3, 200, -2], ids=["length", "data", "checksum"])
def test_a_corrupted_raw_record_is_named(tmp_path, in_process, offset):
    splits = three()
    write_raw(tmp_path / "raw", splits)
    path = sorted((tmp_path / "raw" / "tiny" / "1.0.0").glob("*.tfrecord-*"))[0]
    data = bytearray(path.read_bytes())
    data[offset] ^= 16
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=rf"{path.name} is damaged: .* CRC$"):
        build_shards(tmp_path / "raw", tmp_path / "shards", RAW, 4, OPTIONS)
    assert sorted(os.listdir(tmp_path)) == ["raw"]


@pytest.mark.parametrize("how", ["lost", "cut between records"])
def test_raw_examples_that_are_gone_without_a_trace_are_told(tmp_path, in_process, how):
    write_raw(tmp_path / "raw", three())
    path = next((tmp_path / "raw").rglob("tiny-train.tfrecord-00001-of-00002"))
    kept = list(records(path))[1]
    if how == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: kept.offset + kept.length + 4])
    count = 3 if how == "lost" else 5
    with pytest.raises(
        ArtifactError, match=rf"holds {count} examples of the split train, but its dataset_info\.json records 6"
    ):
        build_shards(tmp_path / "raw", tmp_path / "shards", RAW, 4, OPTIONS)


@pytest.mark.parametrize(("text", "word"), [(None, "missing"), ("{", "damaged"), ("[]", "damaged"), ("{}", "damaged")])
def test_missing_and_damaged_dataset_info_are_named(tmp_path, in_process, text, word):
    write_raw(tmp_path / "raw", three())
    path = tmp_path / "raw" / "tiny" / "1.0.0" / "dataset_info.json"
    path.write_text(text) if text else path.unlink()
    with pytest.raises(ArtifactError, match=rf"dataset_info\.json is {word}$"):
        build_shards(tmp_path / "raw", tmp_path / "shards", RAW, 4, OPTIONS)


def test_missing_and_damaged_source_json_are_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"source\.json is missing$"):
        build_shards(tmp_path / "raw", tmp_path / "shards", RAW, 4, OPTIONS)
    write_raw(tmp_path / "raw", three())
    (tmp_path / "raw" / "source.json").write_text('{"name": 3}')
    with pytest.raises(ArtifactError, match=r"source\.json is damaged at name: "):
        build_shards(tmp_path / "raw", tmp_path / "shards", RAW, 4, OPTIONS)


# The manifest.


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"manifest\.json is missing$"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda m: m.pop("height"), "height"),
        (lambda m: m.update(format=2), "format"),
        (lambda m: m.update(encoding="webp"), "encoding"),
        (lambda m: m.update(void_label=0), "void_label"),
        (lambda m: m["splits"]["train"]["shards"][0].pop("sha256"), "splits.train.shards.0.sha256"),
        (lambda m: m["splits"].update(extra=m["splits"]["train"]), "splits.extra"),
        (lambda m: m.update(surprise=1), "surprise"),
    ],
)
def test_wrong_manifest_is_named(tmp_path, manifest, change, place):
    values = json.loads(manifest.model_dump_json())
    change(values)
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=rf"manifest\.json is damaged at {place}(\.[\w\[\]]+)*: "):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["splits"].pop("test"), "the split test is missing"),
        (lambda m: m["splits"]["train"].update(examples=2), "the shards of train do not add up to its 2 examples"),
        (lambda m: m["splits"]["test"].update(pixels=[1]), "the counts of test are not for the 2 classes listed"),
        (lambda m: m["classes"].pop(), "the counts of train are not for the 1 classes listed"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_named(tmp_path, manifest, change, reason):
    values = json.loads(manifest.model_dump_json())
    change(values)
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=rf"manifest\.json is damaged at the file: {reason}$"):
        read_manifest(tmp_path)


@pytest.fixture(scope="module")
def manifest():
    shard = {"file": "train-00000-of-00001.tfrecord", "examples": 1, "bytes": 10, "sha256": "0" * 64}
    split = {"examples": 1, "pixels": [1, 2], "images_with_class": [1, 1], "void_pixels": 0, "shards": [shard]}
    return Manifest.model_validate(
        {
            "format": 1,
            "source": {"name": "tiny", "version": "1.0.0"},
            "height": 32,
            "width": 32,
            "encoding": "raw",
            "void_label": 255,
            "classes": [{"name": "a", "color": "#000000"}, {"name": "b", "color": "#ffffff"}],
            "splits": {role: split for role in ROLES},
        }
    )


def test_a_torn_manifest_is_named(tmp_path, manifest):
    text = manifest.model_dump_json()
    for length in (0, 1, len(text) // 2, len(text) - 1):
        (tmp_path / "manifest.json").write_text(text[:length])
        with pytest.raises(ArtifactError, match=r"manifest\.json is damaged at the file: "):
            read_manifest(tmp_path)


# Workers.


def _die(*_, **__):
    os._exit(9)


def test_a_killed_worker_is_told(tmp_path, monkeypatch):
    splits = three()
    monkeypatch.setattr(shards, "_write_shard", _die)
    sentence = problem(tmp_path, splits)
    assert sentence.startswith(
        "a worker was killed while writing shards, most likely because memory ran out; free some memory"
    )


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, interruptible, stop):
    """SIGKILL reaches the parent alone; Ctrl-C the whole group, of which only the parent may speak."""
    write_raw(tmp_path / "raw", {"train": pairs(13), "test": pairs(5, 1, "held")})
    with open(tmp_path / "errors", "w") as errors:  # a pipe would stay open for as long as a worker is left
        process = subprocess.Popen(
            [sys.executable, "-c", BUILD, "out", "2", "1"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=errors,
            start_new_session=True,
        )
    while not list(tmp_path.glob("out.partial/*")) and process.poll() is None:
        time.sleep(0.005)
    if stop == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, stop)
    assert process.wait() != 0
    assert none_left(process.pid)
    assert stop == signal.SIGKILL or (tmp_path / "errors").read_text().count("Traceback") <= 1
