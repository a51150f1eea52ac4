"""Folds: they part the images, cut no group, are even in size and class, and depend on nothing else."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from project import digests
from pydantic import ValidationError
from raw_data import Pair, pairs, source, write_raw
from test_preprocess import OPTIONS, RAW, audit_of, opened

from maskline.contracts.classes import ROLES
from maskline.contracts.groups import write_groups
from maskline.errors import InputError
from maskline.params.selection import SelectionParams
from maskline.shards.write.build import build_shards
from maskline.shards.write.folds import fold_of_each
from maskline.shards.write.splits import ClassPresence

FOLDS = st.integers(2, 6)
SEEDS = st.integers(0, 5)
PRESENT = st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=20, max_size=60)
HELD_OUT = {"test_is_held_out": True}
BEFORE = ["photo 004 é.png", "photo 006 é.png", "photo 008 é.png"]  # as chosen before there were folds


def images(present):
    return ClassPresence([f"photo {index}" for index in range(len(present))], np.array(present))


@given(PRESENT, FOLDS, SEEDS)
def test_folds_of_single_images_differ_by_one_at_most(present, folds, seed):
    examples = images(present)
    found = fold_of_each(examples, examples.names, folds, seed)
    sizes = Counter(found)
    assert set(sizes) == set(range(folds)) and sum(sizes.values()) == len(present)
    assert max(sizes.values()) - min(sizes.values()) <= 1


@given(st.lists(st.integers(0, 4), min_size=20, max_size=80), FOLDS, SEEDS)
def test_each_class_is_spread_evenly(labels, folds, seed):
    """Each image shows one class besides the background, so that an even spread is possible."""
    examples = images([[True, *(label == c for c in range(5))] for label in labels])
    found = fold_of_each(examples, examples.names, folds, seed)
    for label in range(5):
        counts = [sum(f == fold and c == label for f, c in zip(found, labels, strict=True)) for fold in range(folds)]
        assert max(counts) - min(counts) <= 1


@given(st.lists(st.integers(0, 11), min_size=20, max_size=80), st.integers(2, 4), SEEDS)
def test_groups_are_whole_and_no_move_or_exchange_brings_sizes_nearer(members, folds, seed):
    groups = [f"video {group}" for group in members]
    examples = images([[True, group % 2 == 0, index % 3 == 0] for index, group in enumerate(members)])
    folds = min(folds, len(set(groups)))
    found = fold_of_each(examples, groups, folds, seed)
    fold_of = dict(zip(groups, found, strict=True))
    assert [fold_of[group] for group in groups] == found
    sizes, of_group = Counter(found), Counter(groups)
    assert set(sizes) == set(range(folds))
    large, small = max(sizes, key=sizes.get), min(sizes, key=sizes.get)
    gap = sizes[large] - sizes[small]
    assert gap <= max(of_group.values())
    inside = {fold: [of_group[group] for group, f in fold_of.items() if f == fold] for fold in (large, small)}
    assert not [a for a in inside[large] for b in [0, *inside[small]] if 0 < a - b < gap]


@given(PRESENT, FOLDS, SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(present, folds, seed, random):
    examples = images(present)
    found = dict(zip(examples.names, fold_of_each(examples, examples.names, folds, seed), strict=True))
    order = random.sample(range(len(present)), len(present))
    shuffled = ClassPresence([examples.names[i] for i in order], examples.present[order])
    assert dict(zip(shuffled.names, fold_of_each(shuffled, shuffled.names, folds, seed), strict=True)) == found


def test_another_seed_gives_other_folds():
    examples = images([[True, i % 3 == 0, i % 5 == 0] for i in range(40)])
    assert fold_of_each(examples, examples.names, 4, 1) != fold_of_each(examples, examples.names, 4, 2)


@pytest.mark.parametrize(("folds", "fold"), [(None, 2), (3, 4)])
def test_a_fold_that_there_is_not_is_refused(folds, fold):
    values = {"validation_fraction": 0.1, "limit": None, "unseen": "refuse", "folds": folds, "fold": fold}
    with pytest.raises(ValidationError, match=r"fold must be at most dataset\.folds, or 1 where that is null"):
        SelectionParams.model_validate(values)


# Preprocess.


def raw_of(tmp_path, splits, **changes):
    about = source(splits={role: role for role in splits}, **changes)
    write_raw(tmp_path / "raw", splits, about)


def built(tmp_path, name="shards", **options):
    options = {"unseen": "allow"} | options
    build_shards(tmp_path / "raw", tmp_path / name, RAW, 4, OPTIONS._replace(**options))
    return {role: opened(tmp_path / name, role).names for role in ROLES}


def three(count=12):
    return {"train": pairs(count), "validation": pairs(5, 2, "v"), "test": pairs(4, 1, "t")}


@pytest.mark.parametrize("held_out", [False, True])
def test_every_image_is_tested_once_and_a_listed_test_split_never(held_out, tmp_path, in_process):
    splits = three()
    raw_of(tmp_path, splits, test_is_held_out=held_out)
    found = [built(tmp_path, f"fold{i}", folds=3, fold=i) for i in (1, 2, 3)]
    divided = {pair.name for role in ROLES[: 2 + held_out] for pair in splits[role]}
    assert Counter(name for fold in found for name in fold["test"]) == dict.fromkeys(divided, 1)
    for number, fold in enumerate(found, 1):
        assert sorted(name for role in ROLES for name in fold[role]) == sorted(divided)
        manifest = json.loads((tmp_path / f"fold{number}/manifest.json").read_bytes())
        assert manifest["fold"] == {"number": number, "of": 3}
        assert audit_of(tmp_path / f"fold{number}")["left_out_by_folds"] == (0 if held_out else 4)
    assert len({len(fold["validation"]) for fold in found}) == 1


def test_without_folds_the_bytes_are_those_of_before(tmp_path, in_process):
    raw_of(tmp_path, {"train": pairs(12), "test": pairs(4, 1, "t")})
    assert built(tmp_path)["validation"] == BEFORE
    for name in ("manifest.json", "audit.json"):
        assert not {"fold", "left_out_by_folds"} & json.loads((tmp_path / "shards" / name).read_bytes()).keys()
    assert "test_is_held_out" not in json.loads((tmp_path / "raw/source.json").read_bytes())


def test_the_number_of_workers_does_not_matter(tmp_path):
    raw_of(tmp_path, three())
    for workers in (1, 2):
        options = OPTIONS._replace(folds=3, fold=2, unseen="allow")
        build_shards(tmp_path / "raw", tmp_path / str(workers), RAW, 4, options, workers)
    assert digests(tmp_path / "1", ".") == digests(tmp_path / "2", ".")


def test_groups_are_never_cut(tmp_path, in_process):
    splits = {"train": pairs(18), "test": pairs(6, 1, "t")}
    raw_of(tmp_path, splits, **HELD_OUT)
    groups = {role: [f"v{i % 6}" for i in range(len(examples))] for role, examples in splits.items()}
    write_groups(tmp_path / "raw", groups, 0)
    group = {pair.name: g for role in splits for pair, g in zip(splits[role], groups[role], strict=True)}
    for fold in (1, 2, 3):
        found = built(tmp_path, f"fold{fold}", folds=3, fold=fold)
        assert len(found["test"]) == 8
        of_split = [{group[name] for name in names} for names in found.values()]
        assert sum(map(len, of_split)) == len(set.union(*of_split)) == 6
        assert audit_of(tmp_path / f"fold{fold}")["groups"]["cut"] == 0


def test_limit_chooses_first_and_the_folds_divide_what_it_keeps(tmp_path, in_process):
    raw_of(tmp_path, three())
    found = [built(tmp_path, f"fold{i}", folds=3, fold=i, limit=9) for i in (1, 2, 3)]
    used = [{name for names in fold.values() for name in names} for fold in found]
    assert used[0] == used[1] == used[2] and len(used[0]) == 9
    assert [len(fold["test"]) for fold in found] == [3, 3, 3]
    dropped = audit_of(tmp_path / "fold1")["left_out_by_limit"]
    assert dropped["train"] + dropped["validation"] == 8 and dropped["test"] == 0


def test_too_many_folds_and_equal_names_are_refused(tmp_path, in_process):
    raw_of(tmp_path, {"train": pairs(4), "test": pairs(4, 1, "t")})
    with pytest.raises(InputError, match=r"there are 4 images to divide .* lower dataset\.folds, .* Received: 5"):
        built(tmp_path, folds=5)
    raw_of(tmp_path, {"train": pairs(4), "validation": pairs(2), "test": pairs(4, 1, "t")})
    with pytest.raises(InputError, match=r"2 of them are named photo 00\d é\.png; give each its own name"):
        built(tmp_path, folds=2)


def test_two_images_of_a_listed_test_split_may_have_names_of_train(tmp_path, in_process):
    raw_of(tmp_path, {"train": pairs(6), "test": [Pair(*pair) for pair in pairs(3)]})
    assert len(built(tmp_path, folds=2)["test"]) == 3
