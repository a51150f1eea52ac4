"""Leakage: held-out images with a near neighbor in train, by how they look and by the numbers in their names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from raw_data import Pair, encoded, pairs
from test_preprocess import audit_of, build, three

from maskline.contracts.audit import Audit
from maskline.contracts.dataset import dataset_figures
from maskline.files.records import read_record
from maskline.shards.write import leakage as module
from maskline.shards.write.leakage import leakage
from maskline.shards.write.shard_statistics import ShardStatistics

ROLES = ("train", "validation", "test")
DRIFT = 6  # bits that change from one frame to the next


def counted(images):
    """Return the statistics of images, (role, name, bits [256]), in one shard of each split."""
    counts = {role: ShardStatistics(np.ones(1, np.int64), np.ones(1, np.int64)) for role in ROLES}
    for role, name, bits in images:
        counts[role].names.append(name)
        counts[role].hashes += np.packbits(bits).tobytes()
    return {role: [of_split] for role, of_split in counts.items()}


def video(rng, count, drift=DRIFT):
    """Return the bits of frames, bool [count, 256], each a little unlike the one before."""
    frames = [rng.integers(0, 2, 256).astype(bool)]
    for _ in range(count - 1):
        frames.append(frames[-1] ^ np.isin(np.arange(256), rng.choice(256, drift, replace=False)))
    return frames


def split_as(roles, frames, name="v_{:04d}.png".format):
    return [(role, name(30 * number), bits) for number, (role, bits) in enumerate(zip(roles, frames, strict=True))]


def shares(images):
    return {role: near.share for role, near in leakage(counted(images)).items()}


IN_ORDER = ["train"] * 70 + ["validation"] * 10 + ["test"] * 20


@pytest.mark.parametrize("drift", [20, 40])
def test_frames_shuffled_are_flagged_and_blocks_of_a_video_are_not(drift):
    """With a drift of 40 bits, no two frames look alike, but frames in time are still more alike than others."""
    rng = np.random.default_rng(3)
    frames = video(rng, 100, drift)
    in_order, shuffled = shares(split_as(IN_ORDER, frames)), shares(split_as(rng.permutation(IN_ORDER), frames))
    assert in_order["test"] == 0 and in_order["validation"] <= 0.3  # those at the cut between two splits
    assert min(shuffled.values()) > 0.7


def test_numbers_that_are_not_in_time_make_no_neighbors():
    rng = np.random.default_rng(3)
    frames = list(rng.integers(0, 2, (100, 256)).astype(bool))
    found = leakage(counted(split_as(rng.permutation(IN_ORDER), frames)))
    assert all((near.share, near.alike, near.following, near.pairs) == (0, 0, 0, []) for near in found.values())


def test_without_numbers_likeness_alone_counts():
    rng = np.random.default_rng(3)
    frames, words = video(rng, 100), ["".join(rng.choice([*"abcdefgh"], 9)) for _ in range(100)]
    found = leakage(counted(split_as(rng.permutation(IN_ORDER), frames, lambda number: words[number // 30])))
    assert found["test"].following == 0 and found["test"].share > 0.7
    assert found["test"].alike == round(20 * found["test"].share)


@given(st.integers(0, 2**32 - 1))
def test_every_image_that_looks_alike_is_found(seed):
    """All pairs are compared, where all pairs may be; an image listed has its nearest one."""
    rng = np.random.default_rng(seed)
    origins = rng.integers(0, 2, (4, 256)).astype(bool)
    images = []
    for number in range(60):
        flipped = np.isin(np.arange(256), rng.choice(256, rng.integers(0, 70), replace=False))
        images.append(
            (str(rng.choice(ROLES)), f"{'abcd'[number % 4]}{number}x{number * number}", origins[number % 4] ^ flipped)
        )
    found = leakage(counted(images))
    for role in ("validation", "test"):
        expected = {}
        for mine, name, bits in images:
            near = [(np.mean((bits ^ b)[bits | b]), n) for r, n, b in images if r == "train"] if mine == role else []
            if near and min(near)[0] <= 0.2:
                expected[name] = min(near)
        listed = {pair.image: (pair.distance, pair.train) for pair in found[role].pairs}
        assert found[role].alike >= 0.9 * len(expected) - 1
        nearest = sorted(expected, key=lambda name: expected[name])[: module._LISTED]
        assert len({*nearest} & {*listed}) >= 0.9 * len(nearest) - 1
        for name in {*nearest} & {*listed}:
            assert listed[name] == (round(expected[name][0], 3), expected[name][1])


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_examples_is_free(seed):
    rng = np.random.default_rng(seed)
    images = split_as(rng.permutation(IN_ORDER), video(rng, 100, int(rng.integers(1, 50))))
    other = [images[place] for place in rng.permutation(100)]
    assert leakage(counted(images)) == leakage(counted(other))


def test_flat_images_are_no_evidence():
    flat = [np.arange(256) < count for count in range(12)]
    found = shares([(role, f"{role}{'abcdefghijkl'[i]}", bits) for role in ROLES for i, bits in enumerate(flat)])
    assert found == {"validation": 0, "test": 0}


def test_an_image_is_compared_with_few_of_a_band(monkeypatch):
    """Images that are all alike take no longer than others: each is compared with a fixed number of those of train."""
    compared, distance = [], module.hash_distance
    monkeypatch.setattr(module, "hash_distance", lambda a, b: compared.append(len(a)) or distance(a, b))
    bits = np.random.default_rng(0).integers(0, 2, 256).astype(bool)
    images = [("train", f"a{'b' * i}", bits) for i in range(900)] + [("test", f"b{'b' * i}", bits) for i in range(9)]
    assert shares(images)["test"] == 1
    assert sum(compared) == 9 * module._MOST_OF_A_BAND * module._BANDS


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["0001TP_006690.png", "0001TP_006720.png", "0006R0_f00930.png"], [[6690, 6720]]),
        (["a_000001_000019_left8.png", "a_000002_000019_left8.png"], [[1, 2]]),
        (["a/7.png", "a/12.png", "b/7.png", "b/3.png"], [[7, 12], [3, 7]]),
        (["one.png", "two.png"], []),
    ],
)
def test_the_number_that_changes_most_counts_the_frames(names, expected, monkeypatch):
    monkeypatch.setattr(module, "_SHORTEST", 2)
    assert [numbers.tolist() for numbers, _ in module._sequences(names)] == expected


def test_preprocess_draws_the_nearest_pairs(tmp_path, in_process):
    splits = three(6, 2, 3)
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(picture).resize((48, 40), Image.Resampling.BICUBIC))
    brighter = np.clip(smooth.astype(int) + 9, 0, 255).astype(np.uint8)
    splits["train"].append(Pair("one.png", encoded(smooth), splits["train"][0].mask))
    splits["test"].append(Pair("other.png", encoded(brighter), splits["train"][0].mask))
    shards = build(tmp_path, splits)
    audit = audit_of(shards)["leakage"]
    assert audit["validation"] == {"share": 0.0, "alike": 0, "following": 0, "pairs": []}
    (pair,) = audit["test"]["pairs"]
    assert (audit["test"]["share"], audit["test"]["alike"], pair["image"]) == (0.25, 1, "other.png")
    assert pair["train"] == "one.png" and pair["distance"] < 0.25
    assert dataset_figures(read_record(shards / "audit.json", Audit))["leakage.test"] == 0.25
    drawn = np.asarray(Image.open(shards / "examples/neighbors/test-0.png").convert("RGB"), int)
    assert [path.name for path in (shards / "examples/neighbors").iterdir()] == ["test-0.png"]
    assert drawn.shape == (32, 64, 3) and np.abs(drawn[:, :32] - drawn[:, 32:]).mean() < 12
    assert (drawn[:, :32] - drawn[:, 32:]).mean() > 5  # the left one is brighter


def test_without_neighbors_nothing_is_drawn(tmp_path, in_process):
    assert not (build(tmp_path, {"train": pairs(6), "test": pairs(3, 1, "t")}) / "examples/neighbors").exists()
