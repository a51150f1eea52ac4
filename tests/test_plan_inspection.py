"""What plan finds in a folder: the source that reads it, params that prepare, and what to look at before training."""

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from raw_data import encoded, source
from test_annotations import NAMES, WRITERS, labeled, scene

from maskline.contracts.source import Source, read_source
from maskline.datasets import prepare
from maskline.datasets.formats.classes import table_of
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.params.source import SourceParams
from maskline.planning.fingerprint import Fingerprint
from maskline.planning.inspection.class_names import NamedClass, parse
from maskline.planning.inspection.coding import propose_coding
from maskline.planning.inspection.inspect import inspect
from maskline.planning.inspection.measuring import MaskValues, Measured, _stored
from maskline.planning.inspection.survey import survey
from maskline.planning.wording import short
from maskline.shards.decode import decode_mask

ROOT = Path(__file__).parents[1]
RNG = np.random.default_rng(0)


def picture(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """Return a smooth picture of its own."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def save(path: Path, pixels: np.ndarray | Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
    return path


def pairs(tree: Path, masks: list[np.ndarray], ending: str = "", suffix: str = ".png") -> Path:
    """Write an image for each mask."""
    for i, mask in enumerate(masks):
        save(tree / f"images/photo {i:03d}.jpg", picture(*mask.shape[:2], seed=i))
        save(tree / f"masks/photo {i:03d}{ending}{suffix}", mask)
    return tree


def halves(values: list[int], height: int = 24, width: int = 32) -> np.ndarray:
    """Return a mask in which each value has columns of its own."""
    return np.array(values, np.uint8)[np.arange(width) * len(values) // width][None].repeat(height, axis=0)


def chosen(found: Fingerprint) -> dict[str, Any]:
    return {choice.key.removeprefix("dataset."): choice.value for choice in found.source}


def params_of(found: Fingerprint) -> SourceParams:
    """Return section dataset of params.yaml with the proposed values."""
    values = read_yaml(ROOT / "params.yaml")["dataset"] | chosen(found)
    return SourceParams.model_validate({key: values[key] for key in SourceParams.model_fields})


def state(tree: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(tree.rglob("*")) if path.is_file()
    }


def topic(found: Fingerprint, name: str) -> str:
    return next(finding.text for finding in found.findings if finding.topic == name)


def warned(found: Fingerprint, *words: str) -> bool:
    return any(all(word in warning for word in words) for warning in found.warnings)


def sentence(path: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        inspect(str(path))
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text
    return text


# Layouts.


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_is_found(form, tmp_path):
    name, write = WRITERS[form]
    write(tmp_path, [labeled(f"{i}.png", scene(i)) for i in range(5)])
    before = state(tmp_path)
    found = inspect(str(tmp_path))
    assert chosen(found)["name"] == name
    assert found.images == {"train": 5} and found.sampled == 5
    assert sorted(each.name for each in found.classes) == sorted(NAMES)
    assert sum(each.pixels for each in found.classes) == 5 * 14 * 19
    assert all(each.pixels > 0 for each in found.classes)
    assert state(tmp_path) == before
    params_of(found)


@pytest.mark.parametrize("form", ["coco text", "yolo", "cvat mask export"])
def test_the_params_of_annotations_prepare(form, tmp_path):
    WRITERS[form][1](tmp_path / "mine", [labeled(f"{i}.png", scene(i)) for i in range(5)])
    found = inspect(str(tmp_path / "mine"))
    prepare.prepare(params_of(found), 1, tmp_path / "raw")
    assert [c.name for c in read_source(tmp_path / "raw").classes] == [each.name for each in found.classes]


def test_overlaps_of_annotations_are_counted(tmp_path):
    WRITERS["coco text"][1](tmp_path, [labeled(f"{i}.png", scene(i)) for i in range(5)])
    assert not warned(inspect(str(tmp_path)), "overlap")
    file = tmp_path / "annotations/instances_train.json"
    content = json.loads(file.read_text())
    first, second = (
        content["annotations"][0],
        next(
            each for each in content["annotations"] if each["category_id"] != content["annotations"][0]["category_id"]
        ),
    )
    content["annotations"].append({**first, "id": 999, "category_id": second["category_id"]})
    file.write_text(json.dumps(content))
    assert warned(inspect(str(tmp_path)), "overlap in 1 image", "dataset.overlap")


def camvid(tree: Path) -> None:
    for split, mask in (("train", 1), ("val", 2), ("test", 3)):
        save(tree / f"{split}/{split}_1.png", picture(seed=mask))
        save(tree / f"{split}annot/{split}_1.png", halves([0, mask, 11]))
        (tree / f"{split}.txt").write_text(f"/SegNet/{split}/{split}_1.png /SegNet/{split}annot/{split}_1.png\n")


def voc2012(tree: Path) -> None:
    (tree / "ImageSets/Segmentation").mkdir(parents=True)
    for split in ("train", "val"):
        save(tree / f"JPEGImages/{split}.jpg", picture(seed=len(split)))
        save(tree / f"SegmentationClass/{split}.png", halves([0, 7, 255]))
        (tree / f"ImageSets/Segmentation/{split}.txt").write_text(f"{split}\n")


def cityscapes(tree: Path) -> None:
    for split in ("train", "val"):
        save(tree / f"leftImg8bit/{split}/ulm/a_leftImg8bit.png", picture(seed=len(split)))
        save(tree / f"gtFine/{split}/ulm/a_gtFine_labelIds.png", halves([7, 11, 0]))


def ade20k(tree: Path) -> None:
    for split in ("training", "validation"):
        save(tree / f"images/{split}/a.jpg", picture(seed=len(split)))
        save(tree / f"annotations/{split}/a.png", halves([0, 1, 150]))


def oxford_iiit_pet(tree: Path) -> None:
    for split, name in (("trainval", "pug_1"), ("test", "pug_2")):
        save(tree / f"images/{name}.jpg", picture(seed=len(split)))
        save(tree / f"annotations/trimaps/{name}.png", halves([1, 2, 3]))
        (tree / f"annotations/{split}.txt").write_text(f"{name} 1 1 1\n")


@pytest.mark.parametrize("write", [camvid, voc2012, cityscapes, ade20k, oxford_iiit_pet])
def test_every_known_tree_is_found(write, tmp_path):
    write(tmp_path)
    found = inspect(str(tmp_path))
    assert chosen(found)["name"] == write.__name__
    assert found.images["train"] == found.images["test"] == 1
    assert sum(each.pixels > 0 for each in found.classes) >= 2
    assert not warned(found, "does not know")


def test_masks_that_a_known_tree_does_not_know(tmp_path):
    voc2012(tmp_path)
    save(tmp_path / "SegmentationClass/train.png", halves([0, 99]))
    assert warned(inspect(str(tmp_path)), "99", "does not know")


def test_of_two_layouts_the_first_in_the_order_is_taken(tmp_path):
    WRITERS["coco text"][1](tmp_path, [labeled("0.png", scene(0))])
    save(tmp_path / "masks/0.png", halves([0, 1], 14, 19))
    found = inspect(str(tmp_path))
    assert chosen(found)["name"] == "folder"
    assert "coco would fit too" in topic(found, "layout")


def test_the_only_folder_inside(tmp_path):
    pairs(tmp_path / "unpacked", [halves([0, 1])] * 3)
    found = inspect(str(tmp_path))
    assert chosen(found)["path"] == str(tmp_path / "unpacked")
    assert "unpacked/" in topic(found, "layout")


def test_another_data_set_that_tfds_has_prepared(tmp_path):
    mine = inspect(str(pairs(tmp_path / "mine", [halves([0, 255])] * 6)))
    prepare.prepare(params_of(mine), 1, tmp_path / "raw")
    copy = tmp_path / "tfds/cells/1.0.0"
    shutil.copytree(tmp_path / "raw/folder/1.0.0", copy)
    for path in copy.glob("folder-*"):
        path.rename(copy / path.name.replace("folder-", "cells-"))
    info = (copy / "dataset_info.json").read_text()
    (copy / "dataset_info.json").write_text(info.replace('"folder"', '"cells"'))
    found = inspect(str(tmp_path / "tfds"))
    assert (chosen(found)["name"], chosen(found)["values"]) == ("cells", [0, 255])
    assert chosen(found)["mask_feature"] == "segmentation_mask"
    prepare.prepare(params_of(found), 1, tmp_path / "again")
    assert read_source(tmp_path / "again").labels == {"0": 0, "255": 1}


def test_what_download_stores_is_estimated_from_the_sample(tmp_path):
    pairs(tmp_path, [halves([0, 1])] * 3)
    found = inspect(str(tmp_path))
    assert found.raw_bytes == found.stored_bytes > 0


def test_shapes_needs_no_folder():
    found = inspect("shapes")
    assert chosen(found) == {"name": "shapes", "path": "none"}
    assert found.path is None and found.images == {"train": 320, "validation": 64, "test": 96}
    assert found.raw_bytes == pytest.approx(480 * 128 * 128 * 4, rel=0.02)


def test_an_unknown_name():
    assert "neither a folder nor a data set" in sentence("nowhere")


def test_a_part_of_a_data_set(tmp_path):
    pairs(tmp_path, [halves([0, 1])] * 3)
    assert "is a part of a data set; name the folder that it is in" in sentence(tmp_path / "images")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "instances.json").write_text("{}")
    assert "is a file; name the folder of your images" in sentence(tmp_path / "instances.json")


# Codings.


def test_black_and_white_masks_prepare(tmp_path):
    tree = pairs(tmp_path / "mine", [halves([0, 255])] * 6, "_mask")
    before = state(tree)
    found = inspect(str(tree))
    assert chosen(found) == {
        "name": "folder",
        "path": str(tree),
        "classes": ["background", "foreground"],
        "masks": "index",
        "values": [0, 255],
        "colors": None,
        "void": [],
    }
    assert warned(found, "no file names the classes; add a classes.txt to your folder")
    assert "6 masks with the ending _mask" in topic(found, "layout")
    prepare.prepare(params_of(found), 1, tmp_path / "raw")
    assert read_source(tmp_path / "raw").labels == {"0": 0, "255": 1}
    assert state(tree) == before


def test_color_masks_with_a_labelmap_prepare(tmp_path):
    colors = np.array([[0, 0, 0], [128, 0, 0], [224, 224, 192]], np.uint8)
    tree = pairs(tmp_path / "mine", [colors[halves([0, 1, 2])]] * 6)
    (tree / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbg:0,0,0::\ncar:128,0,0::\nvoid:224,224,192::\n"
    )
    found = inspect(str(tree))
    values = chosen(found)
    assert (values["classes"], values["masks"], values["void"]) == (["bg", "car"], "color", ["#e0e0c0"])
    assert values["colors"] == ["#000000", "#800000"]
    assert found.void_pixels == 6 * 24 * 10 or found.void_pixels > 0
    prepare.prepare(params_of(found), 1, tmp_path / "raw")
    for mask in sorted((tree / "masks").iterdir()):
        labels = decode_mask(mask.read_bytes(), mask.name, read_source(tmp_path / "raw"))
        assert np.unique(labels).tolist() == [0, 1, 255]


def decoded(found: Any, masks: list[np.ndarray]) -> list[np.ndarray]:
    """Return the labels of masks as the proposed params read them."""
    base = read_yaml(ROOT / "params.yaml")["dataset"] | {"name": "folder", "path": "mine"}
    base |= {choice.key.removeprefix("dataset."): choice.value for choice in found.choices}
    dataset = SourceParams.model_validate({key: base[key] for key in SourceParams.model_fields})
    about = Source.model_validate(source().model_dump() | table_of(dataset)._asdict())
    return [decode_mask(encoded(mask), "a", about) for mask in masks]


def surveyed(masks: list[np.ndarray]) -> Any:
    def measured(mask: np.ndarray) -> Measured:
        values: MaskValues = _stored(Image.fromarray(mask))
        return Measured("a", mask.shape[:2], "8-bit RGB", False, b"", values, 0, 0.0, 0.0)

    return survey([measured(mask) for mask in masks])


@given(st.lists(st.integers(0, 255), min_size=2, max_size=12, unique=True), st.randoms(use_true_random=False))
def test_any_values_are_read_as_classes_or_void(values, random):
    order = sorted(values)
    random.shuffle(values)
    masks = [halves(values), halves(values[::-1])]
    coding = propose_coding(surveyed(masks), None, True, Path("mine"))
    void = next(choice.value for choice in coding.choices if choice.key == "dataset.void")
    assert [int(each.value) for each in coding.classes] == [value for value in order if value not in void]
    assert void in ([], [255])
    for mask, labels in zip(masks, decoded(coding, masks), strict=True):
        kept = [int(each.value) for each in coding.classes]
        np.testing.assert_array_equal(labels, np.vectorize(lambda v, k=kept: k.index(v) if v in k else 255)(mask))
    pixels = {int(each.value): each.pixels for each in coding.classes}
    assert all(pixels[value] == sum(int((mask == value).sum()) for mask in masks) for value in pixels)


@given(st.lists(st.integers(0, 0xFFFFFF), min_size=2, max_size=12, unique=True))
def test_any_colors_are_read_as_classes(colors):
    index = halves(list(range(len(colors))))
    masks = [np.array([[c >> 16, c >> 8 & 255, c & 255] for c in colors], np.uint8)[index]]
    coding = propose_coding(surveyed(masks), None, True, Path("mine"))
    assert [each.value for each in coding.classes if each.pixels] == [each.value for each in coding.classes]
    labels = decoded(coding, masks)[0]
    known = {each.value: place for place, each in enumerate(coding.classes)}
    wanted = np.array([known.get(f"#{color:06x}", 255) for color in colors])[index]
    np.testing.assert_array_equal(labels, wanted)


@pytest.mark.parametrize(
    ("values", "void"),
    [
        ([0, 1, 255], [255]),
        ([0, 255], []),
        ([0, 128, 255], []),
        ([0, 1], []),
        ([1, 2, 3], []),
        ([3, 7, 11, 255], [255]),
    ],
)
def test_255_is_void_next_to_a_row_of_labels(values, void, tmp_path):
    assert chosen(inspect(str(pairs(tmp_path, [halves(values)] * 3))))["void"] == void


def test_a_class_named_void(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1, 2])] * 3)
    (tree / "classes.txt").write_text("road\ncar\nunlabeled\n")
    values = chosen(inspect(str(tree)))
    assert (values["classes"], values["void"], values["values"]) == (["road", "car"], [2], None)


def test_the_classes_txt_of_the_documentation(tmp_path):
    page = (Path(__file__).parents[1] / "docs/own-data.md").read_text()
    tree = pairs(tmp_path, [halves([0, 1, 255])] * 3)
    (tree / "classes.txt").write_text(page.partition("`classes.txt` next to")[2].split("```\n")[1])
    values = chosen(inspect(str(tree)))
    assert (values["classes"], values["void"], values["values"]) == (["sky", "building"], [255], None)


def test_names_of_the_objects_alone(tmp_path):
    tree = pairs(tmp_path, [halves([0, 255])] * 3)
    (tree / "classes.txt").write_text("crack\n")
    values = chosen(inspect(str(tree)))
    assert (values["classes"], values["values"]) == (["background", "crack"], [0, 255])


def test_names_that_no_mask_shows(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 3)
    (tree / "classes.txt").write_text("background\ncat\ndog\n")
    found = inspect(str(tree))
    assert chosen(found)["classes"] == ["background", "cat", "dog"]
    assert chosen(found)["unseen"] == "allow" and warned(found, "no sampled mask shows dog")


def test_names_that_do_not_fit(tmp_path):
    tree = pairs(tmp_path, [halves([0, 40, 80, 120])] * 3)
    (tree / "classes.txt").write_text("cat\ndog\n")
    found = inspect(str(tree))
    assert chosen(found)["values"] == [0, 40, 80, 120]
    assert warned(found, "classes.txt", "2 names")


def test_colors_keep_the_order_of_their_file(tmp_path):
    colors = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0]], np.uint8)
    tree = pairs(tmp_path, [colors[halves([0, 1, 2])]] * 3)
    (tree / "labelmap.txt").write_text("background:0,0,0::\ncell:128,0,0::\nnucleus:0,128,0::\n")
    values = chosen(inspect(str(tree)))
    assert values["classes"] == ["background", "cell", "nucleus"]
    assert values["colors"] == ["#000000", "#800000", "#008000"]


def test_the_most_frequent_of_many_values_are_listed(tmp_path):
    mask = np.repeat(np.arange(40, dtype=np.uint8), 100 * np.arange(40, 0, -1)).reshape(200, -1)
    text = topic(inspect(str(pairs(tmp_path, [mask] * 3))), "mask values")
    assert text == (
        "8-bit gray (3); 40 values (pixels): 0 (12 k), 1 (12 k), 2 (11 k), 3 (11 k), 4 (11 k), 5 (10 k), 6 (10 k), "
        "7 (9,900) and 32 others"
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10 k"), (999_499, "999 k"), (999_500, "1.0 M"), (5_400_000, "5.4 M"),
     (9_950_000, "9.9 M"), (12_345_678, "12 M"), (2_100_000_000, "2.1 G")],
)  # fmt: skip
def test_counts_in_short_form(count, text):
    assert short(count) == text


def test_palette_masks_are_read_by_index(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 3)
    for path in (tree / "masks").iterdir():
        mask = Image.fromarray(halves([0, 1, 2]), "P")
        mask.putpalette([10, 20, 30, 128, 0, 0, 0, 0, 128])
        save(path, mask)
    (tree / "label_colors.txt").write_text("0 0 128\tdog\n10 20 30\tground\n128 0 0\tcat\n")
    values = chosen(inspect(str(tree)))
    assert (values["masks"], values["values"], values["classes"]) == ("index", None, ["ground", "cat", "dog"])
    assert values["colors"] == ["#0a141e", "#800000", "#000080"]


def test_smoothed_masks_get_a_threshold(tmp_path):
    disk = np.hypot(*np.mgrid[-12:12, -16:16]) < 9
    smooth = Image.fromarray(disk.astype(np.uint8) * 255).resize((120, 90), Image.Resampling.BICUBIC)
    tree = pairs(tmp_path / "mine", [np.asarray(smooth)] * 6)
    found = inspect(str(tree))
    assert warned(found, "smoothed", "0 and 255", "threshold of 128")
    assert chosen(found)["values"] == [list(range(128)), list(range(128, 256))]
    prepare.prepare(params_of(found), 1, tmp_path / "raw")
    about = read_source(tmp_path / "raw")
    labels = decode_mask((tree / "masks/photo 000.png").read_bytes(), "a", about)
    np.testing.assert_array_equal(labels, np.asarray(smooth) >= 128)


def disk(height: int = 90, width: int = 120) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.hypot(y - height / 2, x - width / 2) < height / 3


def test_colors_of_a_smoothed_mask(tmp_path):
    colors = np.where(disk()[..., None], [200, 0, 0], [0, 0, 90]).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(colors).resize((160, 120), Image.Resampling.BICUBIC))
    found = inspect(str(pairs(tmp_path, [smooth] * 3)))
    assert warned(found, "smoothed", "#00005a and #c80000", "preprocess refuses")
    assert chosen(found)["colors"] == ["#00005a", "#c80000"]


def test_values_of_a_jpeg_mask(tmp_path):
    found = inspect(str(pairs(tmp_path, [disk().astype(np.uint8) * 255] * 3, suffix=".jpg")))
    assert warned(found, "smoothed", "0 and 255") and warned(found, "is a JPEG")


def test_jpeg_masks_are_told(tmp_path):
    found = inspect(str(pairs(tmp_path, [halves([0, 255])] * 3, suffix=".jpg")))
    assert warned(found, "download refuses 3 pairs", "is a JPEG", "PNG")


def test_numbered_objects_are_one_class(tmp_path):
    found = inspect(str(pairs(tmp_path, [halves(list(range(n)), width=64) for n in (9, 20, 31)], "_cp_masks")))
    assert chosen(found)["values"] == [0, list(range(1, 31))]
    assert warned(found, "numbers of objects")


def test_masks_of_one_value(tmp_path):
    assert "value 0 alone" in sentence(pairs(tmp_path, [halves([0])] * 3))


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("car:128,0,255::", NamedClass("car", None, 0x8000FF)),
        ("128 0 255\t\tcar", NamedClass("car", None, 0x8000FF)),
        ("car,128,0,255", NamedClass("car", None, 0x8000FF)),
        ("3,car,128,0,255", NamedClass("car", 3, 0x8000FF)),
        ("#8000ff car", NamedClass("car", None, 0x8000FF)),
        ("3 traffic light", NamedClass("traffic light", 3)),
        ("3: car", NamedClass("car", 3)),
        ("car: 3", NamedClass("car", 3)),
        ("traffic light", NamedClass("traffic light")),
        ("level 2", NamedClass("level 2")),
    ],
)
def test_forms_of_names(line, named):
    assert parse(f"# a comment\n{line}\n\n") == [named]


def test_a_header_is_no_class():
    assert parse("name,r,g,b\nsky,1,2,3\nroad,4,5,6\n") == [
        NamedClass("sky", None, 0x010203),
        NamedClass("road", None, 0x040506),
    ]


@given(st.permutations([("sky", 10), ("road", 20), ("car", 30), ("tree", 40)]))
def test_names_with_values_fit_in_any_order(entries):
    named = parse("\n".join(f"{value} {name}" for name, value in entries))
    assert {each.name: each.value for each in named} == dict(entries)


# Files.


def test_files_without_a_pair_are_named_and_counted(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 5)
    for name in ("photo 001", "photo 003"):
        (tree / f"masks/{name}.png").unlink()
    save(tree / "masks/other.png", halves([0, 1]))
    found = inspect(str(tree))
    assert found.images == {"train": 3}
    assert warned(found, "2 images have no mask", "photo 001.jpg and photo 003.jpg")
    assert warned(found, "1 mask has no image", "other.png")


def test_damaged_images_are_warnings(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 5)
    whole = (tree / "images/photo 002.jpg").read_bytes()
    (tree / "images/photo 002.jpg").write_bytes(whole[: len(whole) // 2])
    save(tree / "masks/photo 003.png", halves([0, 1], 10, 10))
    found = inspect(str(tree))
    assert found.sampled == 3
    assert warned(found, "2 sampled images cannot be used", "photo 002.jpg and photo 003.jpg")


def test_broken_links_and_pipes_are_warnings(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 5)
    for number in range(2):
        (tree / f"images/photo 00{number}.jpg").unlink()
    (tree / "images/photo 000.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tree / "images/photo 001.jpg")
    found = inspect(str(tree))
    assert found.sampled == 3 and warned(found, "download refuses 2 pairs", "photo 000.jpg")


def test_kinds_of_images(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 4)
    rgb = picture()
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tree / "images/photo 000.jpg", Image.fromarray(rgb).rotate(90, expand=True), exif=exif)
    os.remove(tree / "images/photo 001.jpg")
    save(tree / "images/photo 001.png", np.dstack([rgb, rgb[..., :1]]))
    os.remove(tree / "images/photo 002.jpg")
    save(tree / "images/photo 002.tif", (RNG.integers(0, 65536, (24, 32))).astype(np.uint16))
    found = inspect(str(tree))
    assert found.channels == {"8-bit RGB": 2, "8-bit RGB with alpha": 1, "16-bit gray": 1}
    assert "1 image turned by EXIF" in topic(found, "channels")
    assert found.sampled == 4 and found.smallest == found.largest == (24, 32)


def test_dark_sixteen_bit_images_are_a_warning(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 3)
    os.remove(tree / "images/photo 000.jpg")
    save(tree / "images/photo 000.tif", RNG.integers(0, 4096, (24, 32)).astype(np.uint16))
    assert warned(inspect(str(tree)), "1 image of 16 bits uses less than a quarter", "stretch")


def test_a_tiff_of_several_pages_is_a_warning(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 3)
    os.remove(tree / "images/photo 000.jpg")
    page = Image.fromarray(picture())
    page.save(tree / "images/photo 000.tif", save_all=True, append_images=[page])
    assert warned(inspect(str(tree)), "photo 000.tif", "holds 2 images")


def test_sixteen_bit_masks(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 3)
    for path in (tree / "masks").iterdir():
        save(path, np.where(halves([0, 1]) == 1, 1000, 0).astype(np.uint16))
    found = inspect(str(tree))
    assert chosen(found)["values"] == [0, 1000]
    assert "16-bit gray" in topic(found, "mask values")


def test_the_sample_is_spread_and_stated(tmp_path, monkeypatch):
    monkeypatch.setattr("maskline.planning.inspection.inspect.MOST", 4)
    found = inspect(str(pairs(tmp_path, [halves([0, 1])] * 10)))
    assert found.sampled == 4 and found.images == {"train": 10}
    assert topic(found, "sample").startswith("4 of 10 images")


def test_a_value_that_a_sample_may_lack(tmp_path, monkeypatch):
    monkeypatch.setattr("maskline.planning.inspection.inspect.MOST", 2)
    found = inspect(str(pairs(tmp_path, [halves([0, 1, 3])] * 10)))
    assert chosen(found)["classes"] == ["background", "class_1", "class_2", "class_3"]
    assert chosen(found)["unseen"] == "allow"


# Groups, leaks and duplicates.


def videos(tree: Path, name: str = "video{:02d}_{:04d}", alike: bool = True, count: int = 6, frames: int = 5) -> Path:
    for video, frame in itertools.product(range(count), range(frames)):
        image = picture(seed=video if alike else 100 * video + frame).astype(int)
        stem = name.format(video, frame)
        save(tree / f"images/{stem}.png", (image + RNG.integers(-4, 5, image.shape)).clip(0, 255).astype(np.uint8))
        save(tree / f"masks/{stem}.png", halves([0, 1]))
    return tree


@pytest.mark.parametrize("name", ["video{:02d}_{:04d}", "patient{}-slice{:03d}", "place {}/{}", "Seq{}VD_f{:05d}"])
def test_frames_that_look_alike_are_groups(name, tmp_path):
    found = inspect(str(videos(tmp_path / "mine", name)))
    assert found.groups == 6
    assert "look alike" in topic(found, "groups")
    prepare.prepare(params_of(found), 1, tmp_path / "raw")


def test_names_without_likeness_are_no_groups(tmp_path):
    found = inspect(str(videos(tmp_path, "breed{:02d}_{:04d}", alike=False)))
    assert found.groups is None and "group" not in chosen(found)


def test_frames_of_one_video_are_no_groups(tmp_path):
    found = inspect(str(videos(tmp_path, "{}{:03d}", count=6, frames=6)))
    assert found.groups is None


def test_lists_that_cut_videos_leak(tmp_path):
    tree = videos(tmp_path)
    names = [f"video{video:02d}_{frame:04d}" for video in range(6) for frame in range(5)]
    for split, start in (("train", (0, 1, 2)), ("val", (3,)), ("test", (4,))):
        (tree / f"{split}.txt").write_text("".join(f"{name}\n" for i, name in enumerate(names) if i % 5 in start))
    found = inspect(str(tree))
    assert found.images == {"train": 18, "validation": 6, "test": 6}
    assert warned(found, "near neighbor in train", "test") and warned(found, "validation")
    for split, start in (("train", range(4)), ("val", (4,)), ("test", (5,))):
        (tree / f"{split}.txt").write_text("".join(f"{name}\n" for i, name in enumerate(names) if i // 5 in start))
    assert not warned(inspect(str(tree)), "near neighbor")


def test_copies_are_counted(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 4)
    shutil.copy(tree / "images/photo 000.jpg", tree / "images/photo 003.jpg")
    assert warned(inspect(str(tree)), "1 image file is a copy", "photo 003.jpg")


def test_files_that_differ_in_the_middle_are_no_copies(tmp_path):
    tree = pairs(tmp_path, [halves([0, 1])] * 3)
    for number in range(2):
        image = np.zeros((200, 200, 3), np.uint8)
        image[50, 50] = number
        (tree / f"images/photo 00{number}.jpg").unlink()
        save(tree / f"images/photo 00{number}.tif", image)
    assert not warned(inspect(str(tree)), "cop")


# Folders that no source reads.


def test_an_empty_folder(tmp_path):
    assert "holds no files" in sentence(tmp_path)


@pytest.mark.parametrize(
    ("images", "masks"),
    [("img", "labels"), ("JPEGImages", "SegmentationClassPNG"), ("my photos", "the photos' masks")],
)
def test_pairs_in_other_folders(images, masks, tmp_path):
    pairs(tmp_path, [halves([0, 1])] * 3)
    (tmp_path / "images").rename(tmp_path / images)
    (tmp_path / "masks").rename(tmp_path / masks)
    text = sentence(tmp_path)
    assert f"3 pairs of one name are in {images}/ and {masks}/" in text
    assert "3 .jpg, 3 .png" in text
    commands = text[text.index("mkdir mine") :].removesuffix(".")
    os.system(f"cd {tmp_path} && {commands}")
    assert inspect(str(tmp_path / "mine")).images == {"train": 3}


def test_pairs_by_split(tmp_path):
    for split, count in (("train", 4), ("val", 2)):
        pairs(tmp_path / split, [halves([0, 1])] * count)
    text = sentence(tmp_path)
    assert "6 pairs of one name are in 2 pairs of folders" in text and "train.txt" in text


def test_masks_next_to_images(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.jpg", picture(seed=i))
        save(tmp_path / f"{i}_mask.png", halves([0, 1]))
    text = sentence(tmp_path)
    assert "3 masks lie next to their images" in text and "0_mask.png next to 0.jpg" in text


def test_images_alone(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.jpg", picture(seed=i))
    assert "no masks are known" in sentence(tmp_path)


def test_no_two_of_one_name(tmp_path):
    for i in range(3):
        save(tmp_path / f"images/a{i}.jpg", picture(seed=i))
        save(tmp_path / f"masks/b{i}.png", halves([0, 1]))
    assert "no two of one name" in sentence(tmp_path)


def test_damaged_annotations_give_their_readers_sentence(tmp_path):
    WRITERS["coco text"][1](tmp_path, [labeled("0.png", scene(0))])
    (tmp_path / "annotations/instances_train.json").write_text("{")
    assert "instances_train.json" in sentence(tmp_path)


# Real data.


@pytest.mark.skipif(not (ROOT / "../shared/data/CamVid").is_dir(), reason="../shared/data/CamVid is absent")
def test_camvid_has_its_splits_and_no_leak():
    found = inspect(str(ROOT / "../shared/data/CamVid"))
    assert chosen(found)["name"] == "camvid"
    assert found.images == {"train": 367, "validation": 101, "test": 233}
    assert not warned(found, "near neighbor") and not warned(found, "does not know")


@pytest.mark.skipif(not (ROOT / "../shared/data/tfds").is_dir(), reason="../shared/data/tfds is absent")
def test_pet_is_found_in_the_tfds_folder(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(ROOT / "../shared/data/tfds"))
    found = inspect("oxford_iiit_pet")
    assert [each.name for each in found.classes] == ["pet", "background", "border"]
    assert set(found.images) == {"train", "test"}
