"""Sources on disk: what each reads, what it refuses, and the same bytes from every form of a copy."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskline.contracts.source import Source, read_source
from maskline.datasets import canonical, catalogue, prepare, prepared
from maskline.datasets.formats import classes
from maskline.datasets.sources import oxford_iiit_pet, shapes, voc2012
from maskline.errors import InputError
from maskline.shards.decode import decode_mask
from maskline.shards.source_examples import list_examples, read_features

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")


def params(name: str, path: Path | None = None, **values: Any) -> SimpleNamespace:
    defaults = {
        "classes": None,
        "colors": None,
        "masks": "index",
        "values": None,
        "void": [],
        "test_fraction": 0.3,
        "group": None,
    }
    defaults |= {"image_feature": "image", "mask_feature": "segmentation_mask"}
    return SimpleNamespace(name=name, path=None if path is None else str(path), **(defaults | values))


def mine(path: Path, **values: Any) -> SimpleNamespace:
    return params("folder", path, **({"classes": ["ground", "thing"]} | values))


def png(path: Path, value: int = 0, mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8), value, np.uint8)).convert(mode).save(path, "PNG")
    return path


def jpeg(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(path, "JPEG")
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of a dozen pairs: JPEG and PNG images, names with spaces and beyond ASCII, one folder down."""
    root = tmp_path / "mine"
    for i in range(10):
        jpeg(root / "images" / f"{i}.jpg")
        png(root / "masks" / f"{i}.png", i % 2)
    for name in ("a b", "street/größe"):
        png(root / "images" / f"{name}.png", 3, "RGB")
        png(root / "masks" / f"{name}.png", 1)
    return root


def names(raw: Path, role: str) -> list[str]:
    source = read_source(raw)
    records = [r for f in source.files(raw, role) for r in tf.data.TFRecordDataset(str(f)).as_numpy_iterator()]
    examples = map(tf.train.Example.FromString, records)
    return [example.features.feature["file_name"].bytes_list.value[0].decode() for example in examples]


def digest(root: Path) -> str:
    result = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        result.update(path.relative_to(root).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return result.hexdigest()


def fails(dataset: SimpleNamespace, raw: Path, *words: str) -> None:
    """Prepare must stop with one sentence that has the words, and leave what stood there, and nothing else."""
    raw.mkdir(exist_ok=True, parents=True)
    (raw / "earlier").write_text("whole")
    with pytest.raises(InputError) as error:
        prepare.prepare(dataset, 1, raw)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(p.name for p in raw.parent.iterdir() if p.name.startswith("raw")) == ["raw"]
    assert (raw / "earlier").read_text() == "whole"


@pytest.mark.parametrize("name", [name for name, entry in catalogue.SOURCES.items() if entry.table])
def test_tables_are_whole(name: str) -> None:
    table = catalogue.SOURCES[name].table
    assert sorted(table.labels.values()) == list(range(len(table.classes)))
    assert not set(table.void) & set(table.labels)
    assert len({c.color for c in table.classes}) == len({c.name for c in table.classes}) == len(table.classes)
    source = Source(
        name=name,
        version="1.0.0",
        image_feature="image",
        mask_feature="mask",
        filename_feature=None,
        splits={"train": "train"},
        **table._asdict(),
    )
    assert Source.model_validate_json(source.model_dump_json()) == source


def test_pet_legend_is_pet_background_border() -> None:
    table = oxford_iiit_pet.TABLE
    assert [table.classes[table.labels[value]].name for value in "123"] == ["pet", "background", "border"]


def test_palette_is_voc_and_has_no_colour_twice() -> None:
    colors = [classes.palette_color(i) for i in range(256)]
    assert colors[:4] == ["#000000", "#800000", "#008000", "#808000"] and colors[15] == "#c08080"
    assert len(set(colors)) == 256


def test_folder_keeps_the_files_own_bytes(tree: Path, tmp_path: Path) -> None:
    prepare.prepare(mine(tree, void=[255]), 1, tmp_path / "raw")
    source = read_source(tmp_path / "raw")
    assert (source.labels, source.void) == ({"0": 0, "1": 1}, ["255"])
    assert [c.color for c in source.classes] == ["#000000", "#800000"]
    files = [f for role in ("train", "test") for f in source.files(tmp_path / "raw", role)]
    seen = set()
    for record in (r for f in files for r in tf.data.TFRecordDataset(str(f)).as_numpy_iterator()):
        value = {k: v.bytes_list.value[0] for k, v in tf.train.Example.FromString(record).features.feature.items()}
        name = value["file_name"].decode()
        assert value["image"] == (tree / "images" / name).read_bytes()
        assert value["segmentation_mask"] == (tree / "masks" / name).with_suffix(".png").read_bytes()
        seen.add(name)
    assert seen == {*(f"{i}.jpg" for i in range(10)), "a b.png", "street/größe.png"}
    builder = tfds.builder_from_directory(tmp_path / "raw" / "folder" / "1.0.0")
    examples = [e for split in ("train", "test") for e in builder.as_dataset(split=split)]
    assert all(e["image"].shape == (6, 8, 3) for e in examples) and len(examples) == 12


def test_folder_color_masks(tree: Path, tmp_path: Path) -> None:
    dataset = mine(tree, masks="color", colors=["#00FF00", "#0000ff"], void=["#FFFFFF"])
    prepare.prepare(dataset, 1, tmp_path / "raw")
    source = read_source(tmp_path / "raw")
    assert (source.masks, source.labels, source.void) == ("color", {"#00ff00": 0, "#0000ff": 1}, ["#ffffff"])


def test_folder_lists(tree: Path, tmp_path: Path) -> None:
    (tree / "train.txt").write_text("3\n1.jpg\n\na b\n")
    (tree / "val.txt").write_text("street/größe.png\n", encoding="utf-8-sig")
    (tree / "test.txt").write_text("0\n")
    prepare.prepare(mine(tree), 1, tmp_path / "raw")
    assert names(tmp_path / "raw", "train") == ["3.jpg", "1.jpg", "a b.png"]
    assert names(tmp_path / "raw", "validation") == ["street/größe.png"]
    assert names(tmp_path / "raw", "test") == ["0.jpg"]
    assert read_source(tmp_path / "raw").left_out == 7


def test_a_new_file_moves_no_other(tree: Path, tmp_path: Path) -> None:
    prepare.prepare(mine(tree), 1, tmp_path / "raw")
    before = set(names(tmp_path / "raw", "test"))
    assert before and "validation" not in read_source(tmp_path / "raw").splits
    jpeg(tree / "images" / "new.jpg")
    png(tree / "masks" / "new.png")
    prepare.prepare(mine(tree), 1, tmp_path / "raw")
    assert len(before ^ (set(names(tmp_path / "raw", "test")) - {"new.jpg"})) <= 1
    prepare.prepare(mine(tree), 2, tmp_path / "raw")
    assert set(names(tmp_path / "raw", "test")) - {"new.jpg"} != before


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=40, unique=True), st.floats(0.01, 0.5))
def test_something_is_always_held_out(values: list[bytes], fraction: float) -> None:
    held = canonical._held_out(values, None, 3, fraction)
    assert len(held) == len(values) and any(held)
    more = canonical._held_out([*values, b"new"], None, 3, fraction)
    assert sum(held) == max(1, round(fraction * len(values)))
    assert sum(a != b for a, b in zip(held, more, strict=False)) <= 1


MISTAKES = {
    "image without mask": (lambda t: (t / "masks/3.png").unlink(), ["images/3.jpg", "no mask", "masks/3.png"]),
    "mask without image": (lambda t: (t / "images/3.jpg").unlink(), ["masks/3.png", "no image"]),
    "listed and missing": (lambda t: (t / "train.txt").write_text("1\nghost\n"), ["train.txt", "'ghost'"]),
    "in two lists": (
        lambda t: [(t / name).write_text("1\n") for name in ("train.txt", "test.txt")],
        ["test.txt", "'1'", "train.txt"],
    ),
    "twice in a list": (lambda t: (t / "train.txt").write_text("1\n1\n"), ["train.txt", "'1'", "twice"]),
    "once with suffix": (lambda t: (t / "train.txt").write_text("1\n1.jpg\n"), ["train.txt", "'1.jpg'"]),
    "empty list": (
        lambda t: [(t / "train.txt").write_text("1\n"), (t / "test.txt").write_text("\n")],
        ["test.txt", "no image"],
    ),
    "no train list": (lambda t: (t / "test.txt").write_text("1\n"), ["test.txt", "no train.txt"]),
    "one stem, two images": (lambda t: png(t / "images/3.png"), ["3.jpg", "3.png", "both"]),
    "no images": (lambda t: [p.unlink() for p in (t / "images").rglob("*.*")], ["images", "no image"]),
    "JPEG mask by content": (lambda t: jpeg(t / "masks/3.png"), ["masks/3.png", "JPEG", "PNG"]),
    "mask of another format": (lambda t: (t / "masks/3.png").write_bytes(b"GIF89a.."), ["masks/3.png", "not a PNG"]),
    "image of another format": (lambda t: (t / "images/3.jpg").write_bytes(b"GIF89a.."), ["3.jpg", "neither JPEG"]),
    "image of no bytes": (lambda t: (t / "images/3.jpg").write_bytes(b""), ["images/3.jpg", "is empty"]),
    "mask of no bytes": (lambda t: (t / "masks/3.png").write_bytes(b""), ["masks/3.png", "is empty"]),
    "no masks folder": (lambda t: shutil.rmtree(t / "masks"), ["masks/", "dataset.path", "Received"]),
    "no folder": (lambda t: shutil.rmtree(t), ["dataset.path", "existing folder", "Received"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_folder_mistakes(mistake: str, tree: Path, tmp_path: Path) -> None:
    spoil, words = MISTAKES[mistake]
    spoil(tree)
    fails(mine(tree), tmp_path / "raw", *words)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_unreadable_folder(tree: Path, tmp_path: Path) -> None:
    (tree / "images").chmod(0)
    try:
        with pytest.raises(PermissionError, match="images"):
            prepare.prepare(mine(tree), 1, tmp_path / "raw")
    finally:
        (tree / "images").chmod(0o755)


def test_too_few_images_to_hold_out(tree: Path, tmp_path: Path) -> None:
    (tree / "train.txt").write_text("1\n")
    fails(mine(tree), tmp_path / "raw", "1 images", "too few")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"classes": ["a", "b"]}, ["dataset.classes", "camvid", "null"]),
        ({"colors": ["#000000"]}, ["dataset.colors", "camvid"]),
        ({"masks": "color"}, ["dataset.masks", "camvid", "index"]),
        ({"void": [3]}, ["dataset.void", "camvid", "[]"]),
        ({"mask_feature": "mask"}, ["dataset.mask_feature", "camvid", "segmentation_mask"]),
    ],
)
def test_classes_of_a_source_are_its_own(values: dict, words: list[str], tmp_path: Path) -> None:
    fails(params("camvid", **values), tmp_path / "raw", *words)


def test_unknown_classes_are_named_with_all_that_there_are(tmp_path: Path) -> None:
    dataset = params("shapes", classes=["circle", "ghost", "Square"])
    fails(dataset, tmp_path / "raw", "shapes (background, circle, square,", "Received: 'ghost', 'Square'", "null")


@pytest.mark.parametrize("name", [name for name, entry in catalogue.SOURCES.items() if entry.table])
def test_classes_of_a_source_can_be_taken_out(name: str) -> None:
    table = catalogue.SOURCES[name].table
    own = [c.name for c in table.classes]
    assert classes.picked(table, None, name) == table
    assert classes.picked(table, own, name)._replace(labels=None) == table._replace(labels=None)
    assert classes.picked(table, own, name).labels == table.labels
    kept = [own[-1], own[0]]
    found = classes.picked(table, kept, name)
    assert [c.name for c in found.classes] == kept
    assert [c.color for c in found.classes] == [table.classes[-1].color, table.classes[0].color]
    for value, label in table.labels.items():
        assert (value in found.void) == (own[label] not in kept)
        assert found.labels.get(value) == (kept.index(own[label]) if own[label] in kept else None)
    assert {*found.labels, *found.void} == {*table.labels, *table.void}


def test_pixels_of_classes_that_are_taken_out_are_void(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "SPLITS", {"train": 8, "validation": 2, "test": 2})
    prepare.prepare(params("shapes"), 1, tmp_path / "all")
    prepare.prepare(params("shapes", classes=["square", "background"]), 1, tmp_path / "some")
    whole, some = read_source(tmp_path / "all"), read_source(tmp_path / "some")
    files = [file for role in ("train", "validation", "test") for file in whole.files(tmp_path / "all", role)]
    for file in files:
        assert file.read_bytes() == (tmp_path / "some" / file.relative_to(tmp_path / "all")).read_bytes()
    _, features = next(read_features(list_examples(tmp_path / "all", whole, "train"), whole))
    before, after = (decode_mask(features["segmentation_mask"], "a", source) for source in (whole, some))
    own = [c.name for c in whole.classes]
    expected = np.full_like(before, 255)
    expected[before == own.index("square")], expected[before == own.index("background")] = 0, 1
    assert (after == expected).all() and (after == 255).any()


def test_void_must_not_be_a_class(tree: Path, tmp_path: Path) -> None:
    fails(mine(tree, void=[1]), tmp_path / "raw", "dataset.void", "thing")


def test_shapes_takes_no_path(tmp_path: Path) -> None:
    fails(params("shapes", tmp_path), tmp_path / "raw", "drawn", "none")


@pytest.mark.parametrize("name", ["camvid", "voc2012", "oxford_iiit_pet"])
def test_a_path_without_the_source(name: str, tmp_path: Path) -> None:
    fails(params(name, tmp_path), tmp_path / "raw", "dataset.path", name, catalogue.SOURCES[name].layout)


def test_unknown_name(tmp_path: Path) -> None:
    fails(params("no_such_set", classes=["a", "b"]), tmp_path / "raw", "no_such_set", "catalog")


@pytest.fixture
def camvid_tree(tmp_path: Path) -> Path:
    root = tmp_path / "CamVid"
    for split, name in (("train", "a"), ("train", "b"), ("val", "c"), ("test", "d")):
        png(root / split / f"{name}.png", 9, "RGB")
        png(root / f"{split}annot" / f"{name}.png", 11)
        with open(root / f"{split}.txt", "a") as file:
            file.write(f"/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png\n")
    return root


@pytest.mark.parametrize("level", ["CamVid", "."])
def test_camvid(level: str, camvid_tree: Path, tmp_path: Path) -> None:
    prepare.prepare(params("camvid", tmp_path / level), 1, tmp_path / "raw")
    assert [names(tmp_path / "raw", role) for role in ("train", "validation", "test")] == [
        ["a.png", "b.png"],
        ["c.png"],
        ["d.png"],
    ]
    assert read_source(tmp_path / "raw").void == ["11"]


def test_a_tree_is_found_where_tfds_looks_for_files_got_by_hand(
    camvid_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.prepare(params("camvid", camvid_tree), 1, tmp_path / "raw")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    manual = tmp_path / "tfds/downloads/manual"
    manual.mkdir(parents=True)
    camvid_tree.rename(manual / "CamVid")
    prepare.prepare(params("camvid"), 1, tmp_path / "raw2")
    assert digest(tmp_path / "raw2") == digest(tmp_path / "raw")


def test_camvid_mistakes(camvid_tree: Path, tmp_path: Path) -> None:
    mask = camvid_tree / "trainannot" / "b.png"
    mask.unlink()
    fails(params("camvid", camvid_tree), tmp_path / "raw", str(mask), "missing")
    png(mask)
    (camvid_tree / "val.txt").write_text("only_one.png\n")
    fails(params("camvid", camvid_tree), tmp_path / "raw", "val.txt", "only_one.png")
    (camvid_tree / "val.txt").unlink()
    fails(params("camvid", camvid_tree), tmp_path / "raw", "val.txt", "missing")


@pytest.mark.parametrize("level", [".", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_voc2012(level: str, tmp_path: Path) -> None:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    images, masks, lists = (root / part for part in voc2012.FOLDERS)
    for name in ("2007_000032", "2007_000033"):
        jpeg(images / f"{name}.jpg")
        png(masks / f"{name}.png", 1, "P")
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n")
    (lists / "val.txt").write_text("2007_000033\n")
    prepare.prepare(params("voc2012", tmp_path / level), 1, tmp_path / "raw")
    assert names(tmp_path / "raw", "train") == ["2007_000032.jpg"]
    assert names(tmp_path / "raw", "test") == ["2007_000033.jpg"]
    source = read_source(tmp_path / "raw")
    assert len(source.classes) == 21 and source.void == ["255"]
    record = next(tf.data.TFRecordDataset(str(source.files(tmp_path / "raw", "train")[0])).as_numpy_iterator())
    mask = tf.train.Example.FromString(record).features.feature["segmentation_mask"].bytes_list.value[0]
    assert Image.open(io.BytesIO(mask)).mode == "P"
    (masks / "2007_000033.png").unlink()
    fails(params("voc2012", root), tmp_path / "raw", "2007_000033.png", "missing")


def test_oxford_iiit_pet_unpacked_by_hand(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    box = "<size><width>8</width><height>6</height></size><object><bndbox><xmin>1</xmin><ymin>1</ymin>"
    box = f"<annotation>{box}<xmax>4</xmax><ymax>4</ymax></bndbox></object></annotation>"
    for name, listing in (("Abyssinian_1", "trainval"), ("beagle_2", "test")):
        jpeg(root / "images" / f"{name}.jpg")
        png(root / "annotations/trimaps" / f"{name}.png", 2)
        (root / "annotations" / f"{listing}.txt").write_text(f"{name} 1 1 1\n")
        (root / "annotations/xmls").mkdir(exist_ok=True)
        (root / "annotations/xmls" / f"{name}.xml").write_text(box)
    prepare.prepare(params("oxford_iiit_pet", root), 1, tmp_path / "raw")
    assert names(tmp_path / "raw", "train") == ["Abyssinian_1.jpg"]
    assert names(tmp_path / "raw", "test") == ["beagle_2.jpg"]
    first = digest(tmp_path / "raw")
    prepare.prepare(params("oxford_iiit_pet", tmp_path / "raw"), 1, tmp_path / "again" / "raw")
    assert digest(tmp_path / "again" / "raw") == first


class Plain(tfds.core.GeneratorBasedBuilder):
    """Somebody else's data set: no test split, other feature names, shuffled by TFDS."""

    VERSION = tfds.core.Version("2.1.0")

    def _info(self) -> tfds.core.DatasetInfo:
        image = tfds.features.Image(shape=(None, None, 3))
        mask = tfds.features.Image(shape=(None, None, 1))
        kind = tfds.features.ClassLabel(names=["x", "y"])
        features = {"picture": image, "mask": mask, "z": tf.int64, "kind": kind}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Any:
        for i in range(20):
            image = np.full((4, 4, 3), i, np.uint8)
            yield i, {"picture": image, "mask": image[..., :1] % 2, "z": i, "kind": i % 2}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    Plain(data_dir=tmp_path / "tfds").download_and_prepare()
    return tmp_path / "tfds"


def test_any_tfds_set_from_a_data_directory(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = params("plain", classes=["even", "odd"], image_feature="picture", mask_feature="mask")
    monkeypatch.setenv("TFDS_DATA_DIR", str(plain))
    prepare.prepare(dataset, 1, tmp_path / "raw")
    source = read_source(tmp_path / "raw")
    assert (source.name, source.version, source.filename_feature) == ("plain", "2.1.0", None)
    builder = tfds.builder_from_directory(tmp_path / "raw" / "plain" / "2.1.0")
    assert {k: v.num_examples for k, v in builder.info.splits.items()} == {
        role: len([*builder.as_dataset(split=role)]) for role in ("train", "test")
    }
    assert sum(split.num_examples for split in builder.info.splits.values()) == 20
    first = digest(tmp_path / "raw")
    for path in (plain, plain / "plain", plain / "plain" / "2.1.0"):
        dataset.path = str(path)
        prepare.prepare(dataset, 1, tmp_path / "raw")
        assert digest(tmp_path / "raw") == first
    dataset.name = "plain:2.1.0"
    dataset.path = str(plain)
    prepare.prepare(dataset, 1, tmp_path / "raw")
    assert digest(tmp_path / "raw") == first


def test_any_tfds_set_mistakes(plain: Path, tmp_path: Path) -> None:
    dataset = params("plain", plain, classes=["even", "odd"], image_feature="picture", mask_feature="mask")
    fails(
        SimpleNamespace(**vars(dataset) | {"mask_feature": "kind"}), tmp_path / "raw", "mask_feature", "mask, picture"
    )
    fails(SimpleNamespace(**vars(dataset) | {"classes": None}), tmp_path / "raw", "dataset.classes", "plain")
    fails(SimpleNamespace(**vars(dataset) | {"name": "plain:9.9.9"}), tmp_path / "raw", "9.9.9", "dataset.path")
    records = next(plain.rglob("*.tfrecord*"))
    content = bytearray(records.read_bytes())
    content[len(content) // 2] ^= 1
    records.write_bytes(content)
    fails(dataset, tmp_path / "raw", records.name, "damaged")
    records.write_bytes(content[: len(content) // 3])
    fails(dataset, tmp_path / "raw", records.name)
    records.unlink()
    fails(dataset, tmp_path / "raw", records.name)
    next(plain.rglob("dataset_info.json")).write_text("{")
    fails(dataset, tmp_path / "raw", "dataset_info.json", "damaged")


class ByHand(Plain):
    """A data set whose licence wants the user to fetch it."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "Register, then put pictures.zip there."

    def _split_generators(self, dl_manager: Any) -> dict:
        return {"train": self._generate_examples(dl_manager.manual_dir / "pictures.zip")}


def test_files_to_be_got_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    dataset = params("by_hand", classes=["even", "odd"], image_feature="picture", mask_feature="mask")
    fails(dataset, tmp_path / "raw", "by_hand", "manual", "Register")


@needs_data
@pytest.mark.slow
def test_the_sample_of_the_recipe_pets_has_the_bytes_and_the_order_of_tfds(tmp_path: Path) -> None:
    script = ROOT / "recipes/pets/sample.py"
    subprocess.run([sys.executable, script, DATA / "tfds", tmp_path / "out"], check=True)
    made, given = (place / "oxford_iiit_pet/4.0.0" for place in (tmp_path / "out", DATA / "tfds"))
    for path in given.glob("*.tfrecord-*"):
        assert (made / path.name).read_bytes() == path.read_bytes()
    assert prepared.find_prepared(tmp_path / "out", "oxford_iiit_pet", "4.0.0") == made


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), [("camvid", "CamVid"), ("oxford_iiit_pet", "tfds")])
def test_local_copies_give_the_same_bytes_in_every_process(name: str, path: str, tmp_path: Path) -> None:
    code = (
        "import sys; from types import SimpleNamespace as N; from pathlib import Path; "
        "from maskline.datasets.prepare import prepare; from maskline.errors import InputError; "
        f"prepare(N(name={name!r}, path={str(DATA / path)!r}, classes=None, colors=None, masks='index', void=[], "
        "values=None, image_feature='image', mask_feature='segmentation_mask', test_fraction=0.2, group=None), "
        "1, Path(sys.argv[1]))"
    )
    there, here, again = (tmp_path / folder / "raw" for folder in ("there", "here", "again"))
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    env = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "PYTHONPATH": str(ROOT), "TZ": "UTC-5"}
    subprocess.run([sys.executable, "-c", code, str(there)], env=env, check=True, capture_output=True)
    prepare.prepare(params(name, DATA / path, test_fraction=0.2), 1, here)
    results = {digest(there), digest(here)}
    if name == "camvid":  # its own canonical copy is a prepared TFDS directory
        prepare.prepare(params(name, here), 1, again)
        results.add(digest(again))
    assert len(results) == 1
    lengths = {s["name"]: sum(map(int, s["shardLengths"])) for s in _info(here / name)["splits"]}
    tests = len((DATA / "CamVid/test.txt").read_text().splitlines())  # all 233, or a sample
    assert lengths == {"camvid": {"train": 367, "validation": 101, "test": tests}}.get(name, {"train": 356, "test": 84})


def _info(folder: Path) -> dict:
    return json.loads(next(folder.glob("*/dataset_info.json")).read_text())
