"""Groups of images, by a pattern or a CSV: none is ever cut, and shares stay as near as whole groups allow."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_data import pairs, write_raw
from test_datasets_sources import digest, jpeg, mine, names, png
from test_preprocess import OPTIONS, RAW, audit_of, opened

from maskline.contracts.dataset import dataset_figures
from maskline.contracts.groups import read_groups, write_groups
from maskline.contracts.source import read_source
from maskline.datasets import prepare
from maskline.datasets.groups import held_out_groups, read_grouping
from maskline.errors import ArtifactError, InputError
from maskline.files.records import read_record
from maskline.shards.write.audit import Audit
from maskline.shards.write.build import build_shards
from maskline.shards.write.group_splits import stratified_groups
from maskline.shards.write.splits import ClassPresence, stratified

VIDEO = r"^(.+)_\d+"
GROUPED = st.lists(st.integers(0, 6).map("video {}".format), min_size=1, max_size=60)
SEEDS = st.integers(0, 5)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of six videos of one to six frames."""
    root = tmp_path / "mine"
    for video in range(6):
        for frame in range(video + 1):
            jpeg(root / "images" / f"v{video}_{frame:02d}.jpg")
            png(root / "masks" / f"v{video}_{frame:02d}.png", frame % 2)
    return root


def video_of(name: str) -> str:
    return name.split("_")[0]


# Download.


@given(GROUPED, SEEDS, st.floats(0.01, 0.5), st.integers(1, 2))
def test_held_out_groups_are_whole_and_near_the_fraction(groups, seed, fraction, left):
    sizes = Counter(groups)
    wanted = max(1, round(fraction * len(groups)))
    try:
        held = held_out_groups(groups, seed, fraction, left)
    except InputError as error:
        assert "too few to hold out a split" in str(error)
        assert len(sizes) <= left or 2 * min(sizes.values()) > len(groups)
        return
    kept = {group for group, is_held in zip(groups, held, strict=True) if not is_held}
    out = set(groups) - kept
    assert out and len(kept) >= left and sum(held) == sum(sizes[group] for group in out)
    if len(kept) > left and sum(held) < 2 * wanted:  # else there was no other group to take
        assert abs(sum(held) - wanted) <= max(sizes.values()) / 2
    assert held_out_groups(groups[::-1], seed, fraction, left)[::-1] == held


@pytest.mark.parametrize("form", ["pattern", "csv", "csv by its full path"])
def test_test_holds_whole_groups(form, videos: Path, tmp_path: Path) -> None:
    value = VIDEO
    if form != "pattern":
        files = sorted(path.name for path in (videos / "images").iterdir())
        rows = [f'"{name}",x,"{video_of(name)}"' for name in files]
        path = videos / "groups.CSV"
        value = str(path.absolute()) if form == "csv by its full path" else "groups.CSV"
        path.write_text("\n".join(["filename,camera,group", *rows, "gone.jpg,x,v9"]), encoding="utf-8-sig")
    raw = tmp_path / "raw"
    prepare.prepare(mine(videos, group=value), 1, raw)
    train, test = names(raw, "train"), names(raw, "test")
    assert len(train) + len(test) == 21 and 4 <= len(test) <= 9
    assert not {*map(video_of, train)} & {*map(video_of, test)}
    groups = read_groups(raw)
    assert groups is not None and groups.unused == (form != "pattern")
    assert groups.of("train") == [*map(video_of, train)] and groups.of("test") == [*map(video_of, test)]
    before = digest(raw)
    prepare.prepare(mine(videos, group=value), 1, raw)
    assert digest(raw) == before


def test_without_groups_nothing_is_written(videos: Path, tmp_path: Path) -> None:
    prepare.prepare(mine(videos), 1, tmp_path / "raw")
    assert read_groups(tmp_path / "raw") is None
    assert read_source(tmp_path / "raw").test_is_held_out


def test_a_group_that_the_lists_cut_stays_where_they_put_it(videos: Path, tmp_path: Path) -> None:
    (videos / "train.txt").write_text("v5_00\nv5_01\nv4_00\n")
    (videos / "test.txt").write_text("v5_02\nv3_00\n")
    prepare.prepare(mine(videos, group=VIDEO), 1, tmp_path / "raw")
    groups = read_groups(tmp_path / "raw")
    assert groups is not None and groups.of("test") == ["v5", "v3"] and groups.of("train") == ["v5", "v5", "v4"]
    assert not read_source(tmp_path / "raw").test_is_held_out


CSVS = {
    "missing": (None, "dataset.group must name an existing CSV"),
    "empty": ("", "it lacks filename. Received: ''"),
    "another header": ("file;video\nv0_00.jpg;v0\n", "it lacks filename. Received: 'file;video'"),
    "no column": ("filename\nv0_00.jpg\n", "it lacks group. Received: 'filename'"),
    "no group": ("filename,group\nv0_00.jpg\n", "has no group in row 2; add it"),
    "no name": ("filename,group\n,v0\n", "has no filename in row 2; add it"),
    "twice": ("filename,group\na,v0\nb,v0\na,v1\n", "names 'a' a second time in row 4"),
    "not all": ("filename,group\nv0_00.jpg,v0\n", "gives 20 of 21 images no group, first 'v1_00.jpg'; add them"),
    "latin": ("filename,group\né,v0\n".encode("latin-1"), "is not UTF-8 at byte 15"),
    "quotes": ('filename,group\n"a"b,v0\n', "is not a CSV"),
}


@pytest.mark.parametrize(("content", "sentence"), CSVS.values(), ids=CSVS)
def test_a_csv_that_cannot_be_used_is_named(content, sentence, videos: Path, tmp_path: Path) -> None:
    path = videos / "groups.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        prepare.prepare(mine(videos, group=str(path)), 1, tmp_path / "raw")
    assert sentence in str(caught.value) and str(path) in str(caught.value)
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("form", ["path", "steps up", "link"])
def test_a_csv_that_dvc_does_not_see_is_refused(form, videos: Path, tmp_path: Path) -> None:
    outside = tmp_path / "groups.csv"
    outside.write_text("filename,group\nv0_00.jpg,v0\n")
    (videos / "link.csv").symlink_to(outside)
    value = {"path": str(outside), "steps up": "../groups.csv", "link": "link.csv"}[form]
    with pytest.raises(InputError, match=r"must lie in dataset\.path, so that DVC sees when it changes"):
        prepare.prepare(mine(videos, group=value), 1, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_a_csv_needs_a_folder_of_data() -> None:
    with pytest.raises(InputError, match=r"must be a pattern where dataset\.path is none.*'groups\.csv'"):
        read_grouping("groups.csv", None)


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (r"^(w\d)", "gives 21 of 21 images no group, first 'v0_00.jpg'; correct the pattern"),
        (r"(^v0)?", "gives 20 of 21 images no group, first 'v1_00.jpg'"),
        ("^(v)", "makes 1 group of the train images, too few to hold out a split (at least 3 are needed)"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_named(pattern, sentence, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset\.group") as caught:
        prepare.prepare(mine(videos, group=pattern), 1, tmp_path / "raw")
    assert sentence in str(caught.value)


def test_the_group_is_what_the_pattern_finds() -> None:
    assert read_grouping(r"_([a-z]+)\d", None).of(["1_left2.png", "x_right10.png"]) == ["left", "right"]


# Preprocess.


def grouped_examples(groups):
    """Return examples of six groups with one class of their group in each, and one class in all."""
    present = [[True, int(group[-1]) % 2 == 0, index % 3 == 0] for index, group in enumerate(groups)]
    return ClassPresence([f"{group} {index}" for index, group in enumerate(groups)], np.array(present))


@given(GROUPED, SEEDS, st.integers(1, 30), st.booleans())
def test_chosen_groups_are_whole_and_near_the_count(groups, seed, count, hold_out):
    examples, sizes = grouped_examples(groups), Counter(groups)
    count = min(count, max(1, len(groups) // 2))
    chosen = stratified_groups(examples, groups, count, seed, hold_out)
    names_of = {groups[index] for index in chosen}
    assert chosen == [index for index, group in enumerate(groups) if group in names_of]
    if hold_out:
        assert bool(chosen) == (len(sizes) > 1) and len(names_of) < max(2, len(sizes))
        assert len(chosen) < count + max(sizes.values())
    else:
        assert len(chosen) <= count and bool(chosen) == (min(sizes.values()) <= count)
        assert all(sizes[group] > count - len(chosen) for group in set(groups) - names_of)
    backwards = ClassPresence(examples.names[::-1], examples.present[::-1])
    turned = stratified_groups(backwards, groups[::-1], count, seed, hold_out)
    assert sorted(len(groups) - 1 - index for index in turned) == chosen


@given(st.lists(st.integers(0, 4), min_size=10, max_size=100), SEEDS)
def test_groups_of_one_image_are_chosen_as_images_are(labels, seed):
    present = np.eye(5, dtype=bool)[labels]
    examples = ClassPresence([f"photo {index}" for index in range(len(present))], present)
    count = max(5, len(labels) // 5)
    assert stratified_groups(examples, examples.names, count, seed) == stratified(examples, count, seed)


def raw_of(tmp_path, splits, videos=4, unused=0):
    """Write a raw data set whose images belong to a few videos, in turn."""
    write_raw(tmp_path / "raw", splits)
    groups = {role: [f"v{i % videos}" for i in range(len(examples))] for role, examples in splits.items()}
    write_groups(tmp_path / "raw", groups, unused)
    return {pair.name: group for role in splits for pair, group in zip(splits[role], groups[role], strict=True)}


def built(tmp_path, **options):
    build_shards(tmp_path / "raw", tmp_path / "shards", RAW, 4, OPTIONS._replace(**options))
    return {role: opened(tmp_path / "shards", role).names for role in ("train", "validation", "test")}


def test_validation_and_limit_keep_groups_whole(tmp_path, in_process):
    group = raw_of(tmp_path, {"train": pairs(24), "test": pairs(3, 1, "test")}, videos=8)
    found = built(tmp_path)
    assert len(found["train"]) == 18 and len(found["validation"]) == 6
    assert not {group[name] for name in found["train"]} & {group[name] for name in found["validation"]}
    limited = built(tmp_path, limit=8)
    assert len(limited["train"]) == 6 and limited["validation"] == found["validation"]
    assert Counter(group[name] for name in limited["train"]) == {group[name]: 3 for name in limited["train"]}
    assert built(tmp_path, seed=9)["validation"] != found["validation"]


def test_the_audit_counts_groups_and_names_those_that_lists_cut(tmp_path, in_process):
    raw_of(tmp_path, {"train": pairs(8), "validation": pairs(2, 2, "v"), "test": pairs(1, 1, "t")}, unused=2)
    built(tmp_path)
    audit = audit_of(tmp_path / "shards")
    assert audit["groups"] == {
        "splits": {"train": 4, "validation": 2, "test": 1},
        "cut": 2,
        "cut_groups": [["v0", ["train", "validation", "test"]], ["v1", ["train", "validation"]]],
        "unused": 2,
    }
    assert dataset_figures(read_record(tmp_path / "shards/audit.json", Audit))["groups.cut"] == 2


@pytest.mark.parametrize(
    ("videos", "options", "sentence"),
    [
        (1, {}, "makes 1 group of the train images, too few to hold out validation (it needs two)"),
        (
            4,
            {"limit": 3},
            "the smallest group of train, 'v3', has 4 images, and a group is never cut; raise dataset.limit",
        ),
    ],
)
def test_groups_that_are_too_few_or_too_large_are_refused(videos, options, sentence, tmp_path, in_process):
    raw_of(tmp_path, {"train": pairs(18), "test": pairs(3, 1, "test")}, videos)
    with pytest.raises(InputError) as caught:
        built(tmp_path, **options)
    assert sentence in str(caught.value)


def test_groups_of_other_images_are_refused(tmp_path, in_process):
    raw_of(tmp_path, {"train": pairs(8), "test": pairs(3, 1, "test")})
    write_groups(tmp_path / "raw", {"train": ["a"], "test": ["b"]}, 0)
    with pytest.raises(ArtifactError, match="does not list the 8 examples of train"):
        built(tmp_path)
