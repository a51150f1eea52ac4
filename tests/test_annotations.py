"""Annotation formats: masks to each format and back, what is counted, and what is refused."""

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import annotation_files as files
import numpy as np
import pytest
import tensorflow as tf
from annotation_files import Labeled, save
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from maskline.contracts.source import Source, read_source
from maskline.datasets import catalogue, prepare
from maskline.datasets.formats import annotations as drawing
from maskline.datasets.formats import coco, cvat, label_studio, labelme, yolo
from maskline.datasets.formats.annotations import AnnotatedImage, Annotations
from maskline.datasets.formats.reading import image_size, split_of
from maskline.errors import InputError
from maskline.params.source import SourceParams

NAMES = ["background", "car", "tree", "sky"]
FORMS = {
    "coco": coco,
    "yolo": yolo,
    "labelme": labelme,
    "cvat": cvat,
    "label_studio": label_studio,
}


def params(name: str, path: Path, **values: Any) -> SimpleNamespace:
    defaults = {"classes": None, "colors": None, "masks": "index", "void": [], "overlap": "last", "test_fraction": 0.3}
    defaults |= {"image_feature": "image", "mask_feature": "segmentation_mask", "values": None, "group": None}
    return SimpleNamespace(name=name, path=str(path), **(defaults | values))


def labeled(name: str, labels: np.ndarray) -> Labeled:
    """Return an image of its own with labels."""
    rng = np.random.default_rng(len(name))
    return Labeled(name, rng.integers(0, 255, (*labels.shape, 3), np.uint8), labels)


def scene(seed: int, height: int = 14, width: int = 19, void: bool = False) -> np.ndarray:
    """Return labels with rings, diagonals and holes."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    for label in rng.permutation([1, 2, 3, 0, 1]).tolist():
        top, left = rng.integers(0, height - 5), rng.integers(0, width - 6)
        labels[top : top + 5, left : left + 6] = label
    noise = rng.random(labels.shape) < 0.1
    labels[noise] = rng.integers(0, 4, noise.sum())
    labels[0, :4] = [0, 1, 2, 3]
    if void:
        labels[height // 2, ::2] = 255
    return labels


def drawn(read: Callable[[Path], Annotations], tree: Path, classes: Sequence[str] = NAMES) -> dict[str, np.ndarray]:
    """Return the mask of each image by the last part of its name."""
    data = read(tree)
    labels = drawing.labels_by_name(data.names, classes)
    rest = labels.get("background", 255)
    images = [image for images in data.splits.values() for image in images]
    return {
        Path(image.name).name: drawing.draw(image, *image_size(image.path), labels, rest, "last").mask
        for image in images
    }


WRITERS = {
    "coco text": ("coco", lambda t, i: files.write_coco(t, {"train": i}, NAMES)),
    "coco numbers": ("coco", lambda t, i: files.write_coco(t, {"train": i}, NAMES, "numbers")),
    "yolo": ("yolo", lambda t, i: files.write_yolo(t, {"train": i}, NAMES)),
    "labelme": ("labelme", lambda t, i: files.write_labelme(t, i, NAMES)),
    "labelme masks": ("labelme", lambda t, i: files.write_labelme(t, i, NAMES, masks=True)),
    "cvat": ("cvat", lambda t, i: files.write_cvat(t, {"Train": i}, NAMES)),
    "cvat masks": ("cvat", lambda t, i: files.write_cvat(t, {"Train": i}, NAMES, masks=True)),
    "cvat mask export": ("cvat", lambda t, i: files.write_cvat_masks(t, {"default": i}, NAMES)),
    "label_studio": ("label_studio", lambda t, i: files.write_label_studio(t, i, NAMES)),
    "label_studio brush": ("label_studio", lambda t, i: files.write_label_studio(t, i, NAMES, brush=True)),
}
WITH_VOID = ("coco text", "coco numbers", "labelme", "labelme masks")


@pytest.mark.parametrize("form", WRITERS)
def test_masks_come_back(form: str, tmp_path: Path) -> None:
    name, write = WRITERS[form]
    images = [labeled(f"{i}.png", scene(i, void=form in WITH_VOID)) for i in range(6)]
    write(tmp_path, images)
    masks = drawn(FORMS[name].read, tmp_path)
    for image in images:
        np.testing.assert_array_equal(masks[image.name], image.labels)
    assert len(masks) == len(images)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.binary(min_size=81, max_size=81))
def test_any_mask_comes_back_from_polygons(tmp_path_factory, height: int, width: int, data: bytes) -> None:
    labels = (np.frombuffer(data, np.uint8) % 3)[: height * width].reshape(height, width)
    tree = tmp_path_factory.mktemp("labelme")
    files.write_labelme(tree, [labeled("a.png", labels)], NAMES)
    np.testing.assert_array_equal(drawn(labelme.read, tree)["a.png"], labels)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.binary(min_size=36, max_size=36), st.booleans())
def test_any_brush_comes_back(height: int, width: int, data: bytes, rounds: bool) -> None:
    alpha = np.frombuffer(data, np.uint8)[: height * width].reshape(height, width)
    np.testing.assert_array_equal(label_studio._alpha(files.brush_bytes(alpha, rounds), height, width), alpha > 0)


def test_coco_is_drawn_as_pycocotools_draws_it(tmp_path: Path) -> None:
    images = [labeled(f"{i}.png", scene(i, 40, 50)) for i in range(4)]
    files.write_coco(tmp_path, {"train": images}, NAMES, "polygons")
    theirs = COCO(str(tmp_path / "annotations/instances_train.json"))
    masks = drawn(coco.read, tmp_path)
    for key, about in theirs.imgs.items():
        wanted = np.zeros((40, 50), np.uint8)
        for annotation in theirs.imgToAnns[key]:
            if not annotation["iscrowd"]:
                wanted[theirs.annToMask(annotation) > 0] = annotation["category_id"] // 10
        np.testing.assert_array_equal(masks[about["file_name"]], wanted)


# Through the builder.


def write_all(tree: Path, name: str, count: int = 4) -> list[Labeled]:
    """Write train, val and test of a format where it has them, or one folder."""
    images = [labeled(f"{name}_{i}.png", scene(i)) for i in range(3 * count)]
    splits = {"train": images[:count], "val": images[count : 2 * count], "test": images[2 * count :]}
    if name == "coco":
        files.write_coco(tree, splits, NAMES)
    elif name == "yolo":
        files.write_yolo(tree, splits, NAMES)
    elif name == "labelme":
        files.write_labelme(tree, images, NAMES)
    elif name == "cvat":
        files.write_cvat(tree, splits, NAMES)
    elif name == "cvat masks":
        files.write_cvat_masks(tree, splits, NAMES)
    else:
        files.write_label_studio(tree, images, NAMES, brush=True)
    return images


def examples(raw: Path, role: str) -> dict[str, np.ndarray]:
    """Return the masks of a split by name."""
    source = read_source(raw)
    found = {}
    for file in source.files(raw, role):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            mask = features["segmentation_mask"].bytes_list.value[0]
            name = features["file_name"].bytes_list.value[0].decode()
            found[name] = np.asarray(Image.open(io.BytesIO(mask)))
    return found


def prepared(tree: Path, raw: Path, name: str, **values: Any) -> Source:
    prepare.prepare(params(name, tree, **values), 1, raw)
    return read_source(raw)


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return size and time of the last change of all files and folders."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["coco", "yolo", "labelme", "cvat", "cvat masks", "label_studio"])
def test_the_builder_writes_the_masks(name: str, tmp_path: Path) -> None:
    images = {image.name: image for image in write_all(tmp_path / "mine", name)}
    before = state(tmp_path / "mine")
    source = prepared(tmp_path / "mine", tmp_path / "raw", name.split()[0])
    order = [c.name for c in source.classes]
    assert order[0] == "background"
    assert sorted(order) == sorted(NAMES)
    assert order == NAMES or name in ("labelme", "label_studio")  # these files do not order their classes
    assert (source.masks, source.void) == ("index", ["255"])
    found = {role: examples(tmp_path / "raw", role) for role in source.splits}
    if name in ("labelme", "label_studio"):
        assert sorted(found) == ["test", "train"]
    else:
        assert {role: len(masks) for role, masks in found.items()} == {"train": 4, "validation": 4, "test": 4}
    masks = {Path(path).name: mask for masks in found.values() for path, mask in masks.items()}
    assert masks.keys() == images.keys()
    to_label = np.array([order.index(name) for name in NAMES], np.uint8)
    for path, image in images.items():
        np.testing.assert_array_equal(masks[path], to_label[image.labels])
    assert state(tmp_path / "mine") == before
    assert source.left_out == 0 and source.annotations is not None and source.annotations.drawn > 12


def tree_of(folder: Path, count: int = 4) -> Path:
    """Return a folder of COCO's instances in one file."""
    files.write_coco(folder, {"train": [labeled(f"{i}.png", scene(i)) for i in range(count)]}, NAMES, "numbers")
    return folder


def edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_picked_classes_keep_their_order_and_leave_out_others(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "mine")
    source = prepared(tree, tmp_path / "raw", "coco", classes=["sky", "background", "car"])
    assert [c.name for c in source.classes] == ["sky", "background", "car"]
    assert source.annotations.other_class == 4
    for name, mask in (examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")).items():
        wanted = np.array([1, 2, 1, 0], np.uint8)[scene(int(Path(name).stem))]
        np.testing.assert_array_equal(mask, wanted)


def test_without_background_other_pixels_are_void(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "mine")
    source = prepared(tree, tmp_path / "raw", "coco", classes=["sky", "car"], colors=["#00FF00", "#0000ff"])
    assert [c.color for c in source.classes] == ["#00ff00", "#0000ff"]
    for name, mask in examples(tmp_path / "raw", "train").items():
        wanted = np.array([255, 1, 255, 0], np.uint8)[scene(int(Path(name).stem))]
        np.testing.assert_array_equal(mask, wanted)


def test_a_picked_class_must_be_in_the_file(tmp_path: Path) -> None:
    fails(tree_of(tmp_path / "mine"), "coco", ["dataset.classes", "'boat'", "car, tree, sky"], classes=["car", "boat"])


def test_overlaps_are_ordered_and_counted(tmp_path: Path) -> None:
    square = lambda left, side: [left, 0, left + side, 0, left + side, side, left, side]  # noqa: E731
    for number in range(3):
        rows = [("car", square(4, 3)), ("tree", square(2, 10)), ("tree", square(3, 4))]
        shapes = [{"label": label, "points": files.pairs(points)} for label, points in rows]
        save(tmp_path / f"mine/{number}.json", {"shapes": shapes, "imagePath": f"{number}.png"})
        files.write_images(tmp_path / "mine", [labeled(f"{number}.png", np.zeros((14, 19), np.uint8))])
    source = prepared(tmp_path / "mine", tmp_path / "last", "labelme")
    assert source.annotations.overlap_pixels == 3 * 9
    prepared(tmp_path / "mine", tmp_path / "smallest", "labelme", overlap="smallest")
    last, smallest = (next(iter(examples(tmp_path / name, "train").values())) for name in ("last", "smallest"))
    assert not (last == 1).any()
    assert (smallest[:3, 4:7] == 1).all() and (smallest == 1).sum() == 9
    assert (last > 0).sum() == (smallest > 0).sum() == 100


def test_parts_of_one_annotation_do_not_overlap(tmp_path: Path) -> None:
    parts = [[0, 0, 6, 0, 6, 6, 0, 6], [2, 2, 9, 2, 9, 9, 2, 9]]
    content = lambda c: c["annotations"].__setitem__(slice(None), [annotation(1, parts), annotation(2, parts)])  # noqa: E731
    tree = tree_of(tmp_path / "mine")
    edit(tree / "annotations/instances_train.json", content)
    source = prepared(tree, tmp_path / "raw", "coco")
    assert source.annotations.model_dump() == {
        "drawn": 2,
        "without_area": 0,
        "other_kind": 0,
        "other_class": 0,
        "repeated": 0,
        "unused_classes": 3,
        "images_without": 2,
        "overlap_pixels": 0,
    }
    assert [c.name for c in source.classes] == ["background", "car"]


def annotation(image: int, segmentation: Any, **values: Any) -> dict[str, Any]:
    return {"id": 70 + image, "image_id": image, "category_id": 10, "segmentation": segmentation} | values


def test_what_has_no_area_is_counted(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "mine")
    empty = [[], None, [[1, 1, 5, 5]], [[30, 2, 34, 2, 34, 9]], {"size": [14, 19], "counts": [266]}]
    edit(
        tree / "annotations/instances_train.json",
        lambda c: c["annotations"].extend(annotation(1, shape) for shape in empty),
    )
    files.write_images(tree / "images", [labeled("unlisted.png", scene(9))])
    source = prepared(tree, tmp_path / "raw", "coco")
    assert source.annotations.without_area == 5
    assert source.left_out == 1
    assert source.annotations.not_drawn == 5


def fails(tree: Path, name: str, words: list[str], **values: Any) -> None:
    """Prepare must stop with one sentence that has the words, and write nothing."""
    raw = tree.parent / "raw"
    with pytest.raises(InputError) as error:
        prepare.prepare(params(name, tree, **values), 1, raw)
    message = str(error.value)
    assert "\n" not in message and len(message) < 1000
    for word in words:
        assert word in message, message
    assert not raw.exists()


SPOILED_COCO = {
    "not JSON": (lambda p: p.write_text("{'a':"), ["instances_train.json", "COCO"]),
    "empty": (lambda p: p.write_bytes(b""), ["instances_train.json", "empty"]),
    "a list": (lambda p: p.write_text("[]"), ["instances_train.json", "COCO"]),
    "deep": (lambda p: p.write_text("[" * 100_000), ["instances_train.json", "COCO"]),
    "no categories": (lambda p: edit(p, lambda c: c.pop("categories")), ["instances_train.json", "categories"]),
    "text where points are": (
        lambda p: edit(p, lambda c: c["annotations"][3].update(segmentation="x")),
        ["annotations.3.segmentation"],
    ),
    "unknown category": (
        lambda p: edit(p, lambda c: c["annotations"][0].update(category_id=99)),
        ["annotation 1", "category 99"],
    ),
    "unknown image": (
        lambda p: edit(p, lambda c: c["annotations"][0].update(image_id=99)),
        ["annotation 1", "image 99"],
    ),
    "an id twice": (lambda p: edit(p, lambda c: c["images"][1].update(id=1)), ["two images", "id 1"]),
    "a file twice": (
        lambda p: edit(p, lambda c: c["images"][1].update(file_name="0.png")),
        ["0.png", "image 2", "too"],
    ),
    "image missing": (lambda p: (p.parents[1] / "images/2.png").unlink(), ["'2.png'", "image 3", "images"]),
    "image elsewhere": (
        lambda p: edit(p, lambda c: c["images"][1].update(file_name="../../x.png")),
        ["'../../x.png'", "image 2"],
    ),
    "absolute": (lambda p: edit(p, lambda c: c["images"][1].update(file_name="/etc/passwd")), ["'/etc/passwd'"]),
    "another image": (
        lambda p: Image.new("RGB", (7, 5)).save(p.parents[1] / "images/2.png"),
        ["19 x 14", "7 x 5", "2.png"],
    ),
    "no image": (lambda p: (p.parents[1] / "images/2.png").write_text("x"), ["2.png", "image"]),
    "run lengths of another size": (
        lambda p: edit(p, lambda c: c["annotations"][0]["segmentation"].update(size=[9, 9])),
        ["annotation 1", "9 x 9", "19 x 14"],
    ),
    "run lengths too short": (
        lambda p: edit(p, lambda c: c["annotations"][0]["segmentation"].update(counts=[5])),
        ["annotation 1", "5 pixels"],
    ),
    "damaged text": (
        lambda p: edit(p, lambda c: c["annotations"][0]["segmentation"].update(counts="~~")),
        ["annotation 1", "text"],
    ),
    "odd coordinates": (
        lambda p: edit(p, lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3]])),
        ["annotation 1", "3 coordinates"],
    ),
    "a polygon far outside": (
        lambda p: edit(p, lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3, 4000, 7, 7]])),
        ["annotation 1", "4000", "outside"],
    ),
    "not finite": (
        lambda p: edit(p, lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3, float("nan"), 7, 7]])),
        ["annotation 1", "nan"],
    ),
    "a name for HTML": (
        lambda p: edit(p, lambda c: c["categories"][0].update(name="<b>")),
        ["'<b>'", "instances_train.json"],
    ),
    "a name in two cases": (
        lambda p: edit(p, lambda c: c["categories"][0].update(name="SKY")),
        ["'SKY'", "'sky'"],
    ),
    "no annotations": (lambda p: edit(p, lambda c: c["annotations"].clear()), ["no annotation"]),
}


@pytest.mark.parametrize("mistake", SPOILED_COCO)
def test_coco_mistakes(mistake: str, tmp_path: Path) -> None:
    spoil, words = SPOILED_COCO[mistake]
    tree = tree_of(tmp_path / "mine")
    spoil(tree / "annotations/instances_train.json")
    fails(tree, "coco", words)


# The other formats' mistakes.


def plain_tree(tree: Path, name: str) -> Path:
    images = [labeled(f"{i}.png", scene(i)) for i in range(4)]
    {
        "yolo": lambda: files.write_yolo(tree, {"train": images}, NAMES),
        "labelme": lambda: files.write_labelme(tree, images, NAMES),
        "cvat": lambda: files.write_cvat(tree, {"Train": images}, NAMES),
        "cvat masks": lambda: files.write_cvat_masks(tree, {"default": images}, NAMES),
        "label_studio": lambda: files.write_label_studio(tree, images, NAMES, brush=True),
    }[name]()
    return tree


def add(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def swap(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><annotations>&b;</annotations>'

SPOILED = {
    "yolo: no train": ("yolo", lambda t: swap(t / "data.yaml", "train: images/train", "x: 1"), ["data.yaml", "train"]),
    "yolo: not a mapping": ("yolo", lambda t: (t / "data.yaml").write_text("5"), ["data.yaml", "names"]),
    "yolo: not YAML": ("yolo", lambda t: (t / "data.yaml").write_text("a: [1"), ["data.yaml", "YAML"]),
    "yolo: no names": ("yolo", lambda t: swap(t / "data.yaml", "names:", "others:"), ["data.yaml", "names"]),
    "yolo: another number": ("yolo", lambda t: add(t / "data.yaml", "nc: 7\n"), ["data.yaml", "4 names", "7"]),
    "yolo: folder missing": (
        "yolo",
        lambda t: swap(t / "data.yaml", "images/train", "images/other"),
        ["data.yaml", "'images/other'"],
    ),
    "yolo: unknown class": (
        "yolo",
        lambda t: add(t / "labels/train/2.txt", "9 0 0 1 0 1 1\n"),
        ["2.txt line", "class 9", "4 names"],
    ),
    "yolo: not numbers": (
        "yolo",
        lambda t: add(t / "labels/train/2.txt", "0 0 0 1 0 1 x\n"),
        ["2.txt line", "'0 0 0 1 0 1 x'"],
    ),
    "yolo: odd": ("yolo", lambda t: add(t / "labels/train/2.txt", "0 0 0 1 0 1 1 1\n"), ["2.txt line", "7 coord"]),
    "yolo: in pixels": (
        "yolo",
        lambda t: add(t / "labels/train/2.txt", "0 3 3 9 9 9 3\n"),
        ["2.txt", "line", "far outside"],
    ),
    "yolo: one image in two splits": (
        "yolo",
        lambda t: add(t / "data.yaml", "val: images/train\n"),
        ["data.yaml names", "0.png for both train and val, but no image may be in two splits", "or remove val"],
    ),
    "yolo: one image twice": (
        "yolo",
        lambda t: swap(t / "data.yaml", "train: images/train", "train: [images/train, images/train]"),
        ["data.yaml names", "0.png twice for train"],
    ),
    "yolo: labels without image": (
        "yolo",
        lambda t: (t / "images/train/2.png").unlink(),
        ["labels/train/2.txt", "image"],
    ),
    "labelme: image missing": ("labelme", lambda t: (t / "2.png").unlink(), ["2.json", "'2.png'"]),
    "labelme: not LabelMe's": ("labelme", lambda t: save(t / "2.json", {"a": 1}), ["2.json", "shapes"]),
    "labelme: one image twice": (
        "labelme",
        lambda t: (t / "again.json").write_text((t / "2.json").read_text()),
        ["again.json", "2.json", "2.png"],
    ),
    "labelme: unknown kind": (
        "labelme",
        lambda t: edit(t / "2.json", lambda c: c["shapes"][0].update(shape_type="spline")),
        ["2.json", "shape 0", "'spline'"],
    ),
    "labelme: not in labels.txt": (
        "labelme",
        lambda t: (t / "labels.txt").write_text("__ignore__\ncar\ntree\n"),
        ["labels.txt", "shape"],
    ),
    "labelme: rectangle of one point": (
        "labelme",
        lambda t: edit(t / "2.json", lambda c: c["shapes"][0].update(shape_type="rectangle", points=[[1, 1]])),
        ["2.json", "shape 0", "1 points"],
    ),
    "labelme: mask of no PNG": (
        "labelme",
        lambda t: edit(
            t / "2.json", lambda c: c["shapes"][0].update(shape_type="mask", points=[[1, 1], [2, 2]], mask="abcd")
        ),
        ["2.json", "shape 0", "PNG"],
    ),
    "cvat: not XML": ("cvat", lambda t: (t / "annotations.xml").write_text("<annotations>"), ["annotations.xml"]),
    "cvat: entities": ("cvat", lambda t: (t / "annotations.xml").write_text(BOMB), ["annotations.xml", "DOCTYPE"]),
    "cvat: deep": (
        "cvat",
        lambda t: (t / "annotations.xml").write_text("<a>" * 5000 + "</a>" * 5000),
        ["annotations.xml", "deep"],
    ),
    "cvat: another version": (
        "cvat",
        lambda t: swap(t / "annotations.xml", "<version>1.1", "<version>2.0"),
        ["annotations.xml", "'2.0'", "1.1"],
    ),
    "cvat: a video": (
        "cvat",
        lambda t: swap(t / "annotations.xml", "</annotations>", '<track id="0"/></annotations>'),
        ["annotations.xml", "video"],
    ),
    "cvat: unknown label": (
        "cvat",
        lambda t: swap(t / "annotations.xml", 'label="sky"', 'label="boat"'),
        ["annotations.xml", "'boat'", "labels"],
    ),
    "cvat: image missing": ("cvat", lambda t: (t / "images/2.png").unlink(), ["annotations.xml", "'2.png'"]),
    "cvat: one image twice": (
        "cvat",
        lambda t: swap(t / "annotations.xml", 'name="2.png"', 'name="1.png"'),
        ["annotations.xml", "1.png", "too"],
    ),
    "cvat: no number": (
        "cvat",
        lambda t: swap(t / "annotations.xml", 'points="', 'points="x,1;'),
        ["annotations.xml", "shape 0", "'x'"],
    ),
    "cvat: no size": ("cvat", lambda t: swap(t / "annotations.xml", 'width="19"', ""), ["'0.png'", "width"]),
    "cvat: mask of another size": (
        "cvat",
        lambda t: swap(
            t / "annotations.xml",
            "</image>",
            '<mask label="sky" rle="3, 4" left="0" top="0" width="2" height="2"/></image>',
        ),
        ["'0.png'", "mask", "2 x 2"],
    ),
    "cvat masks: unknown color": (
        "cvat masks",
        lambda t: Image.new("RGB", (19, 14), "#123456").save(t / "SegmentationClass/2.png"),
        ["2.png", "#123456", "labelmap.txt"],
    ),
    "cvat masks: mask missing": (
        "cvat masks",
        lambda t: (t / "SegmentationClass/2.png").unlink(),
        ["2.png", "SegmentationClass"],
    ),
    "cvat masks: mask of another size": (
        "cvat masks",
        lambda t: Image.new("RGB", (7, 5)).save(t / "SegmentationClass/2.png"),
        ["2.png", "7 x 5", "19 x 14"],
    ),
    "cvat masks: damaged labelmap": (
        "cvat masks",
        lambda t: add(t / "labelmap.txt", "boat:1,2::\n"),
        ["labelmap.txt", "'boat:1,2::'"],
    ),
    "cvat: an unknown subset": (
        "cvat",
        lambda t: swap(t / "annotations.xml", 'subset="Train"', 'subset="holdout"'),
        ["annotations.xml", "0.png", "'holdout'", "train, val and test"],
    ),
    "cvat masks: an unknown list": (
        "cvat masks",
        lambda t: (t / "ImageSets/Segmentation/default.txt").rename(t / "ImageSets/Segmentation/latest.txt"),
        ["latest.txt", "'latest'", "train, val and test"],
    ),
    "cvat masks: a color twice": (
        "cvat masks",
        lambda t: add(t / "labelmap.txt", "boat:0,0,0::\n"),
        ["labelmap.txt", "'boat'", "'background'"],
    ),
    "label_studio: another version": (
        "label_studio",
        lambda t: edit(t / "export.json", lambda c: [task.update(completions=task.pop("annotations")) for task in c]),
        ["export.json", "annotations"],
    ),
    "label_studio: two exports": (
        "label_studio",
        lambda t: save(t / "second.json", []),
        ["export.json", "second.json"],
    ),
    "label_studio: image missing": (
        "label_studio",
        lambda t: (t / "images/2.png").unlink(),
        ["export.json", "task 3", "2.png"],
    ),
    "label_studio: brush of another size": (
        "label_studio",
        lambda t: edit(
            t / "export.json",
            lambda c: c[0]["annotations"][0]["result"][0]["value"].update(
                rle=files.brush_bytes(np.ones((3, 3), np.uint8))
            ),
        ),
        ["task 1", "result 0", "9 pixels", "266"],
    ),
    "label_studio: brush that ends early": (
        "label_studio",
        lambda t: edit(
            t / "export.json",
            lambda c: c[0]["annotations"][0]["result"][0]["value"].update(
                rle=c[0]["annotations"][0]["result"][0]["value"]["rle"][:20]
            ),
        ),
        ["task 1", "result 0", "too early"],
    ),
    "label_studio: rotated": (
        "label_studio",
        lambda t: edit(t / "export.json", lambda c: c[0]["annotations"][0]["result"][0].update(image_rotation=90)),
        ["task 1", "result 0", "rotation"],
    ),
}


@pytest.mark.parametrize("mistake", SPOILED)
def test_mistakes(mistake: str, tmp_path: Path) -> None:
    name, spoil, words = SPOILED[mistake]
    tree = plain_tree(tmp_path / "mine", name)
    spoil(tree)
    fails(tree, name.split()[0], words)


@pytest.mark.parametrize("name", ["coco", "yolo", "labelme", "cvat", "label_studio", "cityscapes", "ade20k"])
def test_a_path_without_the_format(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    fails(tmp_path / "mine", name, ["dataset.path", name, catalogue.SOURCES[name].layout])
    values = {key: getattr(params(name, tmp_path), key) for key in SourceParams.model_fields}
    with pytest.raises(ValueError, match=f"path must name the folder of your data when name is '{name}'"):
        SourceParams(**{**values, "path": None})


@pytest.mark.parametrize(
    ("values", "words"),
    [({"masks": "color"}, ["dataset.masks"]), ({"void": [3]}, ["dataset.void"])],
)
def test_params_of_mask_files_are_refused(values: dict, words: list[str], tmp_path: Path) -> None:
    fails(tree_of(tmp_path / "mine"), "coco", words, **values)


# What each format leaves out by custom.


def test_yolo_counts_boxes_and_images_without_labels(tmp_path: Path) -> None:
    tree = plain_tree(tmp_path / "mine", "yolo")
    (tree / "labels/train/1.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    (tree / "labels/train/2.txt").unlink()
    source = prepared(tree, tmp_path / "raw", "yolo")
    assert source.annotations.without_area == 1
    assert source.annotations.images_without == 2
    masks = examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")
    assert not masks["images/train/2.png"].any()


def test_yolo_of_roboflow_with_lists_and_names_by_number(tmp_path: Path) -> None:
    images = [labeled(f"{i}.png", scene(i)) for i in range(4)]
    files.write_yolo(tmp_path / "mine", {"x": images}, NAMES)
    (tmp_path / "mine/images/x").rename(tmp_path / "mine/train")
    (tmp_path / "mine/train").rename(tmp_path / "mine/images/train")
    (tmp_path / "mine/labels/x").rename(tmp_path / "mine/labels/train")
    (tmp_path / "mine/list.txt").write_text("./images/train/0.png\nimages/train/3.png\n")
    (tmp_path / "mine/data.yaml").write_text(
        "train: ../list.txt\nval: []\nnc: 4\nnames: [background, car, tree, sky]\n"
    )
    source = prepared(tmp_path / "mine", tmp_path / "raw", "yolo")
    assert source.left_out == 2 and set(source.splits) == {"train", "test"}


def test_coco_of_roboflow(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        folder = tmp_path / "mine" / split
        files.write_coco(folder, {"x": [labeled(f"{i}.png", scene(i)) for i in range(2)]}, NAMES)
        (folder / "annotations/instances_x.json").rename(folder / "_annotations.coco.json")
        for image in (folder / "images").iterdir():
            image.rename(folder / image.name)
    prepared(tmp_path / "mine", tmp_path / "raw", "coco")
    assert [*examples(tmp_path / "raw", "validation")] == ["valid/0.png", "valid/1.png"]


def test_coco_files_of_one_split_or_none_are_refused(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "mine")
    (tree / "annotations/instances_train2.json").write_text("{}")
    fails(tree, "coco", ["instances_train.json", "instances_train2.json"])
    (tree / "annotations/instances_train2.json").rename(tree / "annotations/instances_b.json")
    fails(tree, "coco", ["instances_b.json", "train, val or test"])


def test_coco_files_must_agree_on_categories(tmp_path: Path) -> None:
    images = [labeled(f"{i}.png", scene(i)) for i in range(4)]
    files.write_coco(tmp_path / "mine", {"train": images[:2], "val": images[2:]}, NAMES)
    path = tmp_path / "mine/annotations/instances_val.json"
    edit(path, lambda c: c["categories"][0].update(name="boat"))
    fails(tmp_path / "mine", "coco", ["instances_val.json", "'boat'", "'car'"])


def test_a_crowd_is_void_below_the_instances(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "mine")
    whole = [[0, 0, 19, 0, 19, 14, 0, 14]]
    edit(
        tree / "annotations/instances_train.json",
        lambda c: c.update(annotations=[annotation(1, [[0, 0, 5, 0, 5, 5, 0, 5]]), annotation(1, whole, iscrowd=1)]),
    )
    source = prepared(tree, tmp_path / "raw", "coco")
    masks = examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")
    assert (masks["images/0.png"][:5, :5] == 1).all() and (masks["images/0.png"] == 255).sum() == 19 * 14 - 25
    assert source.annotations.overlap_pixels == 0


def test_labelme_shapes_and_folders(tmp_path: Path) -> None:
    rows = [
        {"label": "box", "shape_type": "rectangle", "points": [[9, 8], [2, 3]]},
        {"label": "disc", "shape_type": "circle", "points": [[14, 6], [14, 9]]},
        {"label": "disc", "shape_type": "line", "points": [[1, 1], [9, 9]]},
        {"label": "disc", "points": [[1, 1], [9, 9]]},
        {"label": "_background_", "points": [[2, 3], [4, 3], [4, 5], [2, 5]]},
        {"label": "__ignore__", "points": [[18, 0], [19, 0], [19, 14], [18, 14]]},
    ]
    for folder in ("a", "b"):
        files.write_images(tmp_path / "mine" / folder / "photos", [labeled("same.png", scene(0))])
        content = {"version": "3.16.7", "shapes": rows, "imagePath": "..\\photos\\same.png"}
        save(tmp_path / "mine" / folder / "labels" / "same.json", content)
    source = prepared(tmp_path / "mine", tmp_path / "raw", "labelme")
    assert [c.name for c in source.classes] == ["background", "box", "disc"]
    assert (source.annotations.other_kind, source.annotations.without_area) == (2, 2)
    masks = examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")
    assert sorted(masks) == ["a/photos/same.png", "b/photos/same.png"]
    mask = masks["a/photos/same.png"]
    assert (mask[5:8, 2:9] == 1).all() and (mask == 1).sum() == 35 - 4
    assert mask[6, 13] == 2 and not mask[3:5, 2:4].any() and (mask[:, 18] == 255).all()


def test_labels_txt_orders_the_classes(tmp_path: Path) -> None:
    tree = plain_tree(tmp_path / "mine", "labelme")
    (tree / "labels.txt").write_text("__ignore__\n_background_\nbackground\ntree\nsky\nboat\ncar\n")
    source = prepared(tree, tmp_path / "raw", "labelme")
    assert [c.name for c in source.classes] == ["background", "tree", "sky", "car"]
    assert source.annotations.unused_classes == 1


def test_cvat_shapes(tmp_path: Path) -> None:
    tree = plain_tree(tmp_path / "mine", "cvat")
    extra = (
        '<box label="sky" xtl="2" ytl="3" xbr="6" ybr="5" z_order="999"/>'
        '<box label="car" xtl="10" ytl="3" xbr="14" ybr="5" rotation="90" z_order="999"/>'
        '<ellipse label="tree" cx="5.5" cy="10" rx="3" ry="2" z_order="999"/>'
        '<points label="sky" points="1,1"/><tag label="sky"/><polygon label="sky" points="1,1;2,2"/></image>'
    )
    swap(tree / "annotations.xml", "</image>", extra)
    source = prepared(tree, tmp_path / "raw", "cvat")
    assert (source.annotations.other_kind, source.annotations.without_area) == (2, 1)
    masks = examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")
    mask = masks["images/0.png"]
    assert (mask[3:5, 2:6] == 3).all() and (mask[2:6, 11:13] == 1).all() and mask[10, 5] == 2


def test_label_studio_shapes_and_further_annotations(tmp_path: Path) -> None:
    def change(tasks: list) -> None:
        size = {"original_width": 19, "original_height": 14, "image_rotation": 0}
        share = lambda x, y: (100 * x / 19, 100 * y / 14)  # noqa: E731
        box = dict(zip(("x", "y", "width", "height"), (*share(2, 3), *share(4, 2)), strict=True))
        ring = dict(zip(("x", "y", "radiusX", "radiusY"), (*share(12, 7), *share(3, 2)), strict=True))
        results = [
            {"id": "a", "type": "rectanglelabels", "value": {**box, "rectanglelabels": ["car"]}, **size},
            {"id": "b", "type": "ellipse", "value": ring, **size},
            {"id": "b", "type": "labels", "value": {**ring, "labels": ["tree"]}, **size},
            {"id": "c", "type": "choices", "value": {"choices": ["day"]}},
            {"type": "relation", "from_id": "a", "to_id": "b"},
            {"id": "d", "type": "polygonlabels", "value": {"points": [[1, 1]], "polygonlabels": ["sky"]}, **size},
        ]
        whole = tasks[0]["annotations"][0]
        tasks[0]["annotations"] = [whole, {"result": results, "ground_truth": True}]
        tasks[1]["annotations"] = [{"result": [], "was_cancelled": True}]
        tasks[2]["annotations"][0]["result"] = []
        tasks[3]["data"] = {"image": "/data/local-files/?d=images/3.png", "text": "a caption"}

    tree = plain_tree(tmp_path / "mine", "label_studio")
    edit(tree / "export.json", change)
    source = prepared(tree, tmp_path / "raw", "label_studio")
    counts = source.annotations
    assert (counts.repeated, counts.other_kind, counts.without_area, counts.images_without) == (4, 2, 1, 1)
    assert source.left_out == 1
    mask = (examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test"))["images/0.png"]
    order = [c.name for c in source.classes]
    assert (mask[3:5, 2:6] == order.index("car")).all() and mask[7, 12] == order.index("tree")


# Sources of mask files.


def write_cityscapes(tree: Path) -> None:
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        for i in range(count):
            labels = np.full((6, 8), 7 + i, np.uint8)
            labels[0] = 33
            for part, form, pixels in (
                ("leftImg8bit", "leftImg8bit", np.zeros((6, 8, 3), np.uint8)),
                ("gtFine", "gtFine_labelIds", labels),
            ):
                path = tree / part / split / "ulm" / f"ulm_{i}_{form}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)


def test_cityscapes(tmp_path: Path) -> None:
    write_cityscapes(tmp_path / "mine")
    source = prepared(tmp_path / "mine", tmp_path / "raw", "cityscapes")
    assert len(source.classes) == 19 and source.labels["7"] == 0 and source.labels["33"] == 18
    assert len(source.void) == 15 and not set(source.void) & set(source.labels)
    assert source.left_out == 1 and set(source.splits) == {"train", "test"}
    assert [*examples(tmp_path / "raw", "test")] == ["ulm/ulm_0_leftImg8bit.png", "ulm/ulm_1_leftImg8bit.png"]
    mask = tmp_path / "mine/gtFine/train/ulm/ulm_1_gtFine_labelIds.png"
    mask.unlink()
    (tmp_path / "again").mkdir()
    with pytest.raises(InputError, match=f"{mask.name} is missing"):
        prepare.prepare(params("cityscapes", tmp_path / "mine"), 1, tmp_path / "again/raw")


def test_ade20k(tmp_path: Path) -> None:
    tree = tmp_path / "mine/ADEChallengeData2016"
    for split, count in (("training", 3), ("validation", 2)):
        for i in range(count):
            files.write_images(tree / "images" / split, [labeled(f"ADE_{i}.jpg", scene(i))])
            files.write_images(tree / "annotations" / split, [Labeled(f"ADE_{i}.png", scene(i), scene(i))])
    source = prepared(tmp_path / "mine", tmp_path / "raw", "ade20k")
    assert len(source.classes) == 150 and source.void == ["0"] and source.labels["150"] == 149
    assert len(examples(tmp_path / "raw", "train")) == 3 and len(examples(tmp_path / "raw", "test")) == 2


def test_what_is_counted_reaches_the_audit(tmp_path: Path, in_process: None) -> None:
    from maskline.contracts.audit import Audit
    from maskline.contracts.dataset import dataset_figures
    from maskline.files.records import read_record
    from maskline.report.findings import findings
    from maskline.shards.write.build import SplitOptions, build_shards
    from maskline.shards.write.convert import Target

    tree = tree_of(tmp_path / "mine", 8)
    edit(tree / "annotations/instances_train.json", lambda c: c["annotations"].append(annotation(1, [])))
    source = prepared(tree, tmp_path / "raw", "coco")
    build_shards(tmp_path / "raw", tmp_path / "shards", Target(16, 16, "raw"), 8, SplitOptions(1, None, 0.2))
    audit = read_record(tmp_path / "shards/audit.json", Audit)
    assert audit.annotations == source.annotations
    assert dataset_figures(audit)["annotations.not_drawn"] == 1
    assert dataset_figures(audit)["annotations.overlap_pixels"] == 0
    sentences = " ".join(findings(audit, [c.name for c in source.classes]))
    assert "1 annotation has no area and is not drawn." in sentences


def test_an_image_without_annotation_and_background_is_void() -> None:
    image = AnnotatedImage(Path("a.png"), "a.png", [], None, "a.png")
    assert drawing.draw(image, 2, 3, {}, 255, "last").mask.tolist() == [[255] * 3] * 2
    assert drawing.class_order(
        Annotations(Path("x"), ["a", "b"], {"train": []}, Path(), Counter()), ["b", "background"]
    ) == [
        "b",
        "background",
    ]


def test_a_class_left_out_still_covers_what_is_below_it(tmp_path: Path) -> None:
    shapes = [("road", [0, 0, 19, 0, 19, 14, 0, 14]), ("car", [2, 2, 6, 2, 6, 6, 2, 6])]
    for number in range(3):
        rows = [{"label": label, "points": files.pairs(points)} for label, points in shapes]
        save(tmp_path / f"mine/{number}.json", {"shapes": rows, "imagePath": f"{number}.png"})
        files.write_images(tmp_path / "mine", [labeled(f"{number}.png", np.zeros((14, 19), np.uint8))])
    source = prepared(tmp_path / "mine", tmp_path / "raw", "labelme", classes=["background", "road"])
    mask = next(iter(examples(tmp_path / "raw", "train").values()))
    assert not mask[2:6, 2:6].any() and (mask == 1).sum() == 19 * 14 - 16
    assert (source.annotations.overlap_pixels, source.annotations.other_class) == (0, 3)


# Real data.

DATA = Path(__file__).parents[2] / "shared" / "data" / "CamVid"
STREET = [*(c.name for c in catalogue.SOURCES["camvid"].table.classes)]


def camvid(count: int) -> list[Labeled]:
    """Return test images of CamVid with shuffled names, and 255 for void."""
    paths = sorted((DATA / "test").glob("*.png"))
    chosen = np.random.default_rng(3).permutation(len(paths))[:count]
    images = []
    for number, path in enumerate(paths[i] for i in chosen):
        labels = np.asarray(Image.open(DATA / "testannot" / path.name))
        labels = np.where(labels == 11, 255, labels).astype(np.uint8)
        images.append(Labeled(f"{number * 7919 % 1009:04d}.png", path.read_bytes(), labels))
    return images


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")
@pytest.mark.parametrize("form", ["coco", "yolo", "labelme", "cvat", "label_studio"])
def test_camvid_comes_back(form: str, tmp_path: Path) -> None:
    images = camvid(12)
    picked = STREET
    if form == "coco":
        files.write_coco(tmp_path / "mine", {"train": images[:8], "test": images[8:]}, STREET, background=-1)
    elif form == "labelme":
        files.write_labelme(tmp_path / "mine", images, STREET)
    else:  # they know no void
        images = [image._replace(labels=np.where(image.labels == 255, 11, image.labels)) for image in images]
        names = [*STREET, "void"]
        if form == "yolo":
            files.write_yolo(tmp_path / "mine", {"train": images[:8], "test": images[8:]}, names)
        elif form == "cvat":
            files.write_cvat(tmp_path / "mine", {"Train": images[:8], "Test": images[8:]}, names)
        else:
            files.write_label_studio(tmp_path / "mine", images, names)
    source = prepared(tmp_path / "mine", tmp_path / "raw", form, classes=picked)
    assert [c.name for c in source.classes] == STREET
    masks = examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")
    found = {Path(name).name: mask for name, mask in masks.items()}
    assert len(found) == len(images)
    for image in images:
        np.testing.assert_array_equal(found[image.name], np.where(image.labels == 11, 255, image.labels))


def test_background_is_found_in_any_case(tmp_path: Path) -> None:
    names = ["Background", "car", "tree", "sky"]
    files.write_yolo(tmp_path / "mine", {"train": [labeled(f"{i}.png", scene(i)) for i in range(3)]}, names)
    for classes, wanted in ((None, ["background", *names[1:]]), (["sky", "Background"], ["sky", "Background"])):
        source = prepared(tmp_path / "mine", tmp_path / "raw", "yolo", classes=classes)
        assert [c.name for c in source.classes] == wanted
        for name, mask in examples(tmp_path / "raw", "train").items():
            labels = scene(int(Path(name).stem))
            np.testing.assert_array_equal(mask, labels if classes is None else np.where(labels == 3, 0, 1))


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    images = [labeled(f"{i}.png", scene(i)) for i in range(3)]
    files.write_coco(tmp_path / "coco", {"train": images, "val": []}, NAMES)
    fails(tmp_path / "coco", "coco", ["validation"])
    files.write_yolo(tmp_path / "yolo", {"train": images}, NAMES)
    (tmp_path / "yolo/images/val").mkdir()
    add(tmp_path / "yolo/data.yaml", "val: images/val\n")
    fails(tmp_path / "yolo", "yolo", ["data.yaml", "'images/val'", "val"])


def test_an_image_of_another_format_is_refused(tmp_path: Path) -> None:
    tree = plain_tree(tmp_path / "mine", "yolo")
    Image.new("RGB", (19, 14)).save(tree / "images/train/2.png", "TIFF")
    fails(tree, "yolo", ["2.png", "JPEG or PNG"])


LISTS = {
    "labelme": {"train.txt": "labelme_3\nlabelme_1.png\n", "val.txt": "labelme_0.json\n", "test.txt": "labelme_2\n"},
    "label_studio": {
        "train.txt": "label_studio_3\nimages/label_studio_1.png\n",
        "val.txt": "images/label_studio_0\n",
        "test.txt": "label_studio_2.png\n",
    },
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_next_to_the_files_set_the_splits(name: str, tmp_path: Path) -> None:
    tree = tmp_path / "mine"
    write_all(tree, name, 2)
    for listing, lines in LISTS[name].items():
        (tree / listing).write_text(lines)
    source = prepared(tree, tmp_path / "raw", name)
    found = {role: [*examples(tmp_path / "raw", role)] for role in ("train", "validation", "test")}
    numbers = {role: [Path(image).stem.rpartition("_")[2] for image in images] for role, images in found.items()}
    assert numbers == {"train": ["3", "1"], "validation": ["0"], "test": ["2"]}
    assert source.left_out == 2


LIST_MISTAKES = {
    "ghost": ({"train.txt": "NAME_0\nghost\n"}, ["train.txt", "'ghost'", "annotate", "remove the line"]),
    "twice": ({"train.txt": "NAME_0\nNAME_0.png\n"}, ["train.txt", "'NAME_0.png'"]),
    "in two lists": ({"train.txt": "NAME_0\n", "test.txt": "NAME_0\n"}, ["test.txt", "'NAME_0'", "train.txt"]),
    "no train list": ({"test.txt": "NAME_0\n"}, ["test.txt", "no train.txt"]),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("mistake", LIST_MISTAKES)
def test_mistakes_in_lists_are_refused(mistake: str, name: str, tmp_path: Path) -> None:
    write_all(tmp_path / "mine", name, 1)
    lists, words = LIST_MISTAKES[mistake]
    for listing, lines in lists.items():
        (tmp_path / "mine" / listing).write_text(lines.replace("NAME", name))
    fails(tmp_path / "mine", name, [word.replace("NAME", name) for word in words])


def test_a_line_that_fits_two_images_is_refused_unless_it_is_a_whole_name(tmp_path: Path) -> None:
    images = [labeled(name, scene(i)) for i, name in enumerate(["a.png", "images/a.png", "b.png", "c.png"])]
    tree = tmp_path / "mine"
    files.write_labelme(tree, images, NAMES)
    (tree / "train.txt").write_text("a\nb\nc\n")
    fails(tree, "labelme", ["train.txt", "'a'", "whole name"])
    (tree / "train.txt").write_text("images/a\na.png\nb\nc\n")
    prepared(tree, tmp_path / "raw", "labelme")
    assert {*examples(tmp_path / "raw", "train"), *examples(tmp_path / "raw", "test")} == {
        image.name for image in images
    }


def test_classes_that_only_unlisted_images_have_are_no_classes(tmp_path: Path) -> None:
    tree = tmp_path / "mine"
    files.write_label_studio(tree, [labeled(f"{i}.png", scene(i)) for i in range(3)], NAMES)
    content = json.loads(next(tree.glob("*.json")).read_text())
    for task in content[2:]:
        for result in task["annotations"][0]["result"]:
            for key in ("polygonlabels", "brushlabels"):
                if key in result["value"]:
                    result["value"][key] = ["rare"]
    next(tree.glob("*.json")).write_text(json.dumps(content))
    (tree / "train.txt").write_text("0\n1\n")
    source = prepared(tree, tmp_path / "raw", "label_studio")
    assert "rare" not in [c.name for c in source.classes] and source.annotations.unused_classes == 0


def test_the_images_of_labelme_may_have_moved_next_to_their_files(tmp_path: Path) -> None:
    tree = plain_tree(tmp_path / "mine", "labelme")
    edit(tree / "2.json", lambda c: c.update(imagePath="C:\\photos\\2.png"))
    prepared(tree, tmp_path / "raw", "labelme")
    assert "2.png" in examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")


def test_annotations_are_of_the_upright_image(tmp_path: Path) -> None:
    tree = plain_tree(tmp_path / "mine", "labelme")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (14, 19)).save(tree / "2.png", exif=exif)
    prepared(tree, tmp_path / "raw", "labelme")
    masks = examples(tmp_path / "raw", "train") | examples(tmp_path / "raw", "test")
    np.testing.assert_array_equal(masks["2.png"] > 0, scene(2) > 0)


def test_scenes_that_are_annotated_everywhere_have_no_background(tmp_path: Path) -> None:
    images = [labeled(f"{i}.png", np.maximum(scene(i), 1)) for i in range(4)]
    files.write_coco(tmp_path / "mine", {"train": images}, NAMES)
    source = prepared(tmp_path / "mine", tmp_path / "raw", "coco")
    assert [c.name for c in source.classes] == NAMES[1:]
    assert source.labels == {"1": 0, "2": 1, "3": 2}
    for name, mask in examples(tmp_path / "raw", "train").items():
        np.testing.assert_array_equal(mask, np.maximum(scene(int(Path(name).stem)), 1))


def test_classes_of_one_name_are_one_class(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "mine")

    def rename(content: Any) -> None:
        next(each for each in content["categories"] if each["name"] == "tree")["name"] = "car"

    edit(tree / "annotations/instances_train.json", rename)
    source = prepared(tree, tmp_path / "raw", "coco")
    assert [c.name for c in source.classes] == ["background", "car", "sky"]
    for name, mask in examples(tmp_path / "raw", "train").items():
        wanted = np.array([0, 1, 1, 2], np.uint8)[scene(int(Path(name).stem))]
        np.testing.assert_array_equal(mask, wanted)


def test_one_class_that_covers_every_pixel_is_refused(tmp_path: Path) -> None:
    images = [labeled(f"{i}.png", np.ones((14, 19), np.uint8)) for i in range(4)]
    files.write_coco(tmp_path / "mine", {"train": images}, NAMES)
    fails(tmp_path / "mine", "coco", ["has the class 'car' alone, which covers every pixel; annotate a second class"])


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("Train", "train"),
        ("instances_val2017", "validation"),
        ("valid/_annotations.coco", "validation"),
        ("Validation", "validation"),
        ("my_test-1", "test"),
        ("training", "train"),
        ("holdout", None),
        ("latest", None),
        ("interval", None),
        ("constraint", None),
        ("", None),
    ],
)
def test_a_split_is_a_whole_word(text: str, split: str | None) -> None:
    assert split_of(text) == split
