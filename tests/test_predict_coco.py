"""COCO annotations: masks equal to the pixel in pycocotools, and polygons that are near them."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from maskline.contracts.classes import ClassInfo
from maskline.contracts.rle import as_text, bounding_box, class_runs
from maskline.errors import InputError
from maskline.prediction.coco import CocoImage, annotations, write_coco

# pycocotools 2.0.11 converts arrays as NumPy 1 did.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLASSES = [ClassInfo(name=name, color="#123456") for name in ("a", "b é", "c")]


def blobs(height, width, seed=0):
    """Return labels whose borders are smooth."""
    noise = np.random.default_rng(seed).normal(size=(3, 6, 8)).astype(np.float32)
    scaled = [np.asarray(Image.fromarray(part).resize((width, height), Image.Resampling.BICUBIC)) for part in noise]
    return np.argmax(scaled, axis=0).astype(np.uint8)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 2)))
def test_runs_are_read_back_to_the_pixel(labels):
    for label, runs in enumerate(class_runs(labels, 3)):
        mask = np.asfortranarray(labels == label, np.uint8)
        expected = coco_mask.encode(mask)
        assert as_text(runs) == expected["counts"].decode()
        found = {"size": list(labels.shape), "counts": as_text(runs)}
        np.testing.assert_array_equal(coco_mask.decode(found), mask)
        if mask.any():
            assert bounding_box(runs, labels.shape[0]) == coco_mask.toBbox(expected).astype(int).tolist()


@pytest.mark.parametrize("labels", [blobs(700, 901), np.zeros((3000, 2500), np.uint8), blobs(257, 1030)[:, ::-1]])
def test_large_labels_are_read_in_parts(labels):
    for label, runs in enumerate(class_runs(labels, 3)):
        expected = coco_mask.encode(np.asfortranarray(labels == label, np.uint8))["counts"].decode()
        assert as_text(runs) == expected


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30))
def test_long_runs_survive_the_text(runs):
    """Decode as the specification says, because pycocotools holds runs of 32 bits alone."""
    found, value, shift = [], 0, 0
    for code in as_text(np.array(runs)).encode():
        value |= (code - 48 & 0x1F) << shift
        shift += 5
        if not (code - 48) & 0x20:
            value -= (1 << shift) if (code - 48) & 0x10 else 0
            found.append(value + (found[-2] if len(found) > 2 else 0))
            value = shift = 0
    assert found == runs


@pytest.fixture
def written(tmp_path):
    """Return a function that writes labels and coco.json, and loads it with pycocotools."""

    def write(form, *maps):
        images = []
        for number, labels in enumerate(maps):
            path = tmp_path / f"{number} ä.png"
            Image.fromarray(labels).save(path)
            images.append(CocoImage(f"{number} ä.jpg", path))
        write_coco(tmp_path / "coco.json", images, CLASSES, form)
        assert json.loads((tmp_path / "coco.json").read_text(encoding="utf-8"))
        assert not list(tmp_path.glob("*.partial"))
        return COCO(tmp_path / "coco.json")

    return write


def test_pycocotools_reads_every_mask(written):
    maps = [blobs(60, 80), blobs(33, 21, 1), np.full((4, 5), 2, np.uint8)]
    coco = written("rle", *maps)
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["a", "b é", "c"]
    for image_id, labels in enumerate(maps, 1):
        assert coco.imgs[image_id]["file_name"] == f"{image_id - 1} ä.jpg"
        again = np.full(labels.shape, 255, np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(image_id)):
            mask = coco.annToMask(annotation).astype(bool)
            again[mask] = annotation["category_id"]
            assert annotation["area"] == mask.sum()
        np.testing.assert_array_equal(again, labels)


def test_polygons_are_near_the_masks(written):
    labels = blobs(120, 160)
    coco = written("polygons", labels)
    for annotation in coco.loadAnns(coco.getAnnIds(1)):
        mask, truth = coco.annToMask(annotation).astype(bool), labels == annotation["category_id"]
        assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_a_pixel_and_a_line_are_polygons_too(written):
    labels = np.zeros((6, 9), np.uint8)
    labels[1, 2], labels[4, 3:8] = 1, 2
    coco = written("polygons", labels)
    for annotation in coco.loadAnns(coco.getAnnIds(1))[1:]:
        np.testing.assert_array_equal(coco.annToMask(annotation), labels == annotation["category_id"])


def test_no_image_gives_an_empty_file(written):
    assert not written("rle").anns


def test_a_class_without_a_pixel_has_no_annotation():
    assert [a["category_id"] for a in annotations(np.full((2, 2), 1, np.uint8), 3, "rle")] == [1]


def test_labels_of_any_size_are_read_back(written, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        assert written("rle", blobs(60, 80)).imgs[1]["height"] == 60


@pytest.mark.parametrize("data", [b"no PNG", None])
def test_a_damaged_png_of_labels_is_one_sentence(tmp_path, data):
    path = tmp_path / "1.png"
    Image.fromarray(blobs(60, 80)).save(path)
    path.write_bytes(path.read_bytes()[:-100] if data is None else data)
    with pytest.raises(InputError, match=r"1\.png is damaged .*; remove it, and predict its image again\."):
        write_coco(tmp_path / "coco.json", [CocoImage("1.jpg", path)], CLASSES, "rle")
    assert list(tmp_path.iterdir()) == [path]
