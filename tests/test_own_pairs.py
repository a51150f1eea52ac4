"""A user's own pairs: masks named by a customary ending, TIFF files, masks of 0 and 255, and classes never seen."""

import io
import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from raw_data import encoded, source
from tiff_files import tiff_bytes

from maskline.contracts.manifest import read_manifest
from maskline.contracts.source import read_source
from maskline.datasets.formats.as_png import image_bytes, mask_bytes
from maskline.datasets.formats.classes import table_of
from maskline.datasets.formats.pairing import paired
from maskline.datasets.formats.pairs import checked_example
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.params.source import SourceParams
from maskline.params.train import LossOptions
from maskline.prediction.decode import decode
from maskline.shards.decode import decode_image, decode_mask
from maskline.shards.read.originals import find_originals
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.training.class_weights import class_weights
from maskline.training.losses import named_losses

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (23, 31, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (23, 31), np.uint16)
LABELS = RNG.integers(0, 3, (23, 31), np.uint8)
FOLDER = Path("mine")
PARAMS = Path(__file__).parents[1] / "params.yaml"


def files(*names: str) -> dict[str, str]:
    return {name: f"{name}.tif" for name in names}


def sentence(work: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        work(*arguments)
    text = str(caught.value)
    assert "\n" not in text and text.endswith((".", "such problems)"))
    return text


ENDINGS = [
    "_mask",
    "_masks",
    "-mask",
    ".mask",
    " Mask",
    "_cp_masks",
    "_L",
    "_label",
    "_labels",
    "_labelIds",
    "-seg",
    "_gt",
]


@pytest.mark.parametrize("ending", [*ENDINGS, "_gtFine_labelIds", "_segmentation", "_GroundTruth", "_ground_truth"])
def test_masks_are_found_by_their_ending(ending):
    images = files("1", "plate A/2", "a_L")
    assert paired(images, files(*(f"{name}{ending}" for name in images)), FOLDER) == {n: f"{n}{ending}" for n in images}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("1_image", "1"),
        ("1_image", "1_mask"),
        ("1-img", "1-mask"),
        ("1_leftImg8bit", "1_gtFine_labelTrainIds"),
        ("1_sat", "1_mask"),
    ],
)
def test_images_may_have_an_ending_too(image, mask):
    assert paired(files(image), files(mask), FOLDER) == {image: mask}


names = st.lists(st.text("ab_L12", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)


@given(names, st.sampled_from(["", "_mask", "_L", "-seg"]))
def test_every_folder_of_one_ending_is_paired_in_any_order_or_refused(stems, ending):
    masks = [f"{stem}{ending}" for stem in stems]
    try:
        found = paired(files(*stems), files(*masks), FOLDER)
    except InputError:
        assert ending  # equal names always are pairs
        return
    assert list(found) == stems and sorted(found.values()) == sorted(masks)
    assert paired(files(*stems[::-1]), files(*masks[::-1]), FOLDER) == found


def test_one_name_comes_before_an_ending():
    assert paired(files("1", "1_L"), files("1", "1_L"), FOLDER) == {"1": "1", "1_L": "1_L"}


@pytest.mark.parametrize(
    ("images", "masks", "words"),
    [
        (
            ["1"],
            ["1_mask", "1_seg"],
            "mine/images/1.tif has two masks, mine/masks/1_mask.tif and mine/masks/1_seg.tif; move",
        ),
        (["1"], ["1", "1_mask"], "mine/images/1.tif has two masks, mine/masks/1.tif and mine/masks/1_mask.tif; move"),
        (
            ["1", "1_img"],
            ["1_mask"],
            "1_mask.tif may be the mask of mine/images/1.tif or of mine/images/1_img.tif; give",
        ),
        (
            ["1", "2", "3"],
            ["1_mask"],
            "images/2.tif has no mask (1 more such images); add mine/masks/2.png or 2_mask.png",
        ),
        (["1"], ["1", "2_mask"], "mine/masks/2_mask.tif has no image"),
        (["1"], ["1", "_mask"], "mine/masks/_mask.tif has no image"),
    ],
)
def test_what_fits_twice_or_not_at_all_is_refused(images, masks, words):
    assert words in sentence(paired, files(*images), files(*masks), FOLDER)


def tiff(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tiff_bytes(pixels, **options))
    return path


FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "strips": {"rows": 4},
    "deflate": {"rows": 4, "packed": True},
    "big-endian": {"rows": 5, "order": ">"},
    "big-endian and deflate": {"rows": 5, "order": ">", "packed": True},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "pixels", [COLOR, COLOR[..., 0], DEEP, np.dstack([DEEP] * 3)], ids=["RGB", "L", "I;16", "RGB16"]
)
def test_a_tiff_becomes_the_pixels_that_predict_sees(form, pixels, tmp_path):
    path = tiff(tmp_path / "1.tif", pixels, **FORMS[form])
    image, conversions = decode_image(image_bytes(path), "1.tif")
    np.testing.assert_array_equal(np.asarray(image), np.asarray(decode(path.read_bytes(), "1.tif")))
    eight = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(image), eight if eight.ndim == 3 else np.dstack([eight] * 3))
    assert ("sixteen_bit" in conversions) == (pixels.dtype == np.uint16)


@pytest.mark.parametrize("pixels", [COLOR, COLOR[..., 0], DEEP], ids=["RGB", "L", "I;16"])
def test_lzw_with_a_predictor_is_read(pixels, tmp_path):
    path = tmp_path / "1.tif"
    Image.fromarray(pixels).save(path, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    assert Image.open(path).tag_v2[317] == 2
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image_bytes(path)))), pixels)


@pytest.mark.parametrize(
    ("form", "mode"),
    [("TIFF", "CMYK"), *itertools.product(["TIFF", "BMP", "WEBP"], ["RGB", "L", "RGBA", "P", "1"])],
)
def test_images_of_every_form_become_png_without_loss(form, mode, tmp_path):
    path = tmp_path / "image"
    exif = Image.Exif()
    exif[0x0112] = 6
    options: dict[str, Any] = {"lossless": True, "exif": exif} if form == "WEBP" else {}
    Image.fromarray(COLOR).convert(mode).save(path, form, **options)
    data = image_bytes(path)
    assert data.startswith(b"\x89PNG") and data == image_bytes(path)
    image, conversions = decode_image(data, "image")
    np.testing.assert_array_equal(np.asarray(image), np.asarray(decode(path.read_bytes(), "image")))
    assert ("exif_rotated" in conversions) == (form == "WEBP")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_tiff_masks_keep_their_values(compression, dtype, tmp_path):
    path = tmp_path / "1.tif"
    Image.fromarray(LABELS.astype(dtype)).save(path, "TIFF", compression=compression)
    np.testing.assert_array_equal(decode_mask(mask_bytes(path), "1.tif", source()), LABELS)


@pytest.mark.parametrize("form", ["TIFF", "BMP"])
def test_masks_of_colors_and_palettes_keep_them(form, tmp_path):
    path = tmp_path / "mask"
    paletted = Image.fromarray(LABELS)
    paletted.putpalette([9, 9, 9, 255, 0, 0, 0, 255, 0])
    paletted.save(path, form)
    np.testing.assert_array_equal(decode_mask(mask_bytes(path), "mask", source()), LABELS)
    paletted.convert("RGB").save(path, form)
    colors = source(masks="color", labels={"#090909": 0, "#ff0000": 1, "#00ff00": 2}, void=[])
    np.testing.assert_array_equal(decode_mask(mask_bytes(path), "mask", colors), LABELS)


def test_png_and_jpeg_files_keep_their_bytes(tmp_path):
    for data in (encoded(COLOR), encoded(COLOR, "jpeg"), encoded(LABELS)):
        (tmp_path / "file").write_bytes(data)
        assert image_bytes(tmp_path / "file") == data
    assert mask_bytes(tmp_path / "file") == data


def saved(pixels: np.ndarray, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


PAGES = saved(LABELS, "TIFF", save_all=True, append_images=[Image.fromarray(LABELS)] * 3)
BAD_IMAGES = {
    "pages": (PAGES, "holds 4 images; save each in a file of its own"),
    "float": (saved(LABELS.astype(np.float32), "TIFF"), "values of the kind F, which have no certain colors"),
    "channels": (tiff_bytes(np.dstack([LABELS] * 2)), "has 2 channels, of which 1 would be read"),
    "planes": (tiff_bytes(np.dstack([DEEP] * 3), planes=True), "16-bit colors in separate planes; interleave"),
    "doubles": (
        tiff_bytes(DEEP.astype(np.float64)),
        "is a damaged TIFF, or one of a form that cannot be read; save it",
    ),
    "cut": (saved(COLOR, "TIFF")[:900], "cannot be read"),
    "no BMP": (b"BMx", "cannot be read as"),
}
BAD_MASKS = {
    "pages": (PAGES, "holds 4 images; save each in a file of its own"),
    "jpeg": (saved(COLOR, "TIFF", compression="jpeg"), "has jpeg compression, which changes labels; save it as PNG"),
    "fractions": (saved(LABELS.astype(np.float32) / 2, "TIFF"), "values from 0.0 to 1.0, but labels are whole numbers"),
    "below 0": (saved(-LABELS.astype(np.int32), "TIFF"), "values from -2 to 0, but labels are whole numbers"),
    "white is 0": (
        tiff_bytes(LABELS > 0, photometric=0),
        "in which 0 is white, whose values programs read in two ways",
    ),
    "packed": (tiff_bytes(LABELS.astype(np.int32), order=">", packed=True), "compressed big-endian TIFF"),
    "inks": (tiff_bytes(np.dstack([LABELS] * 4), photometric=5), "values of the kind CMYK"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_images_without_certain_pixels_are_refused(case, tmp_path):
    data, words = BAD_IMAGES[case]
    (tmp_path / "1.tif").write_bytes(data)
    text = sentence(image_bytes, tmp_path / "1.tif")
    assert text.startswith(f"image {tmp_path / '1.tif'} ") and words in text


@pytest.mark.parametrize("case", BAD_MASKS)
def test_masks_without_certain_values_are_refused(case, tmp_path):
    data, words = BAD_MASKS[case]
    (tmp_path / "1.tif").write_bytes(data)
    text = sentence(mask_bytes, tmp_path / "1.tif")
    assert text.startswith(f"mask {tmp_path / '1.tif'} ") and words in text


def test_an_image_beyond_pillows_bound_is_refused(tmp_path, monkeypatch):
    (tmp_path / "1.tif").write_bytes(saved(COLOR, "TIFF"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    assert "has more than 600 pixels; cut it into several" in sentence(image_bytes, tmp_path / "1.tif")


def test_a_lossy_mask_is_refused_before_any_is_read(tmp_path):
    for form, name in (("JPEG", "JPEG"), ("WEBP", "WebP")):
        (tmp_path / "mask").write_bytes(saved(COLOR, form))
        (tmp_path / "image").write_bytes(saved(COLOR, form))
        text = sentence(checked_example, tmp_path / "image", tmp_path / "mask", "1")
        assert f"mask is a {name}, whose compression changes labels" in text


# Values of masks.

OF_FOLDER = {
    "name": "folder", "path": "mine", "classes": ["ground", "cell"], "colors": None, "masks": "index", "values": None,
    "void": [], "image_feature": "image", "mask_feature": "segmentation_mask", "test_fraction": 0.2, "overlap": "last",
    "group": None,
}  # fmt: skip


def cells(**changes: Any) -> SourceParams:
    return SourceParams.model_validate(OF_FOLDER | changes)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (None, {"0": 0, "1": 1}),
        ([0, 255], {"0": 0, "255": 1}),
        ([[0], [1, 255]], {"0": 0, "1": 1, "255": 1}),
        ([40000, [7, 5]], {"40000": 0, "7": 1, "5": 1}),
    ],
)
def test_values_become_the_table_of_labels(values, labels):
    assert table_of(cells(values=values)).labels == labels


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": [0]}, "one entry per entry of classes"),
        ({"values": [0, [255, 0]]}, "values must not repeat a value. Received: 0 twice"),
        ({"values": [0, 1], "masks": "color", "colors": ["#000000", "#ffffff"]}, "set it to null for color masks"),
        ({"values": [0, []]}, "at least 1 item"),
        ({"values": [0, 65536]}, "65535"),
        ({"values": [0, "cell"]}, "valid integer"),
    ],
)
def test_values_that_fit_no_classes_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        cells(**changes)


def test_a_value_is_void_or_a_class():
    assert "dataset.void contains 255, the label of class cell" in sentence(
        table_of, cells(values=[0, 255], void=[255])
    )


def of_classes(count: int, **changes: Any) -> Any:
    return source(count, **({"void": []} | changes))


@pytest.mark.parametrize(
    ("values", "about", "proposed"),
    [
        (
            [0, 255],
            of_classes(2),
            "if 0 and 255 are sky and tree, set dataset.values to [0, 255]; otherwise correct the mask",
        ),
        ([255], of_classes(2), "if 0 and 255 are sky and tree, set dataset.values to [0, 255]"),
        (
            [0, 127, 255],
            of_classes(3),
            "if 0, 127 and 255 are sky, tree and crème brûlée, set dataset.values to [0, 127, 255]",
        ),
        ([1, 2], of_classes(2), "set dataset.values to [1, 2]"),
        ([0, 1, 2], of_classes(2), None),
        ([1, 255], of_classes(2), None),
        ([0, 1, 255], of_classes(3), None),
        ([0, 1, 255], of_classes(2, labels={"0": 0, "255": 1}), None),
    ],
)
def test_the_remedy_for_unknown_values_fits_them(values, about, proposed):
    mask = np.array([values] * 4, np.uint8)
    text = sentence(decode_mask, encoded(mask), "train/1.tif", about)
    if proposed:
        assert proposed in text and "dataset.void" not in text
    else:
        assert "list the value with its class in dataset.values or, if it is no class, in dataset.void" in text


def test_all_unknown_values_and_colors_are_named():
    mask = np.array([[0, 9, 9, 200], [1, 7, 9, 200]], np.uint8)
    text = sentence(decode_mask, encoded(mask), "1.tif", source())
    assert text.startswith(
        "mask 1.tif has the labels 7 at 1 pixel, 9 at 3 pixels and 200 at 2 pixels, outside the classes and void ("
    )
    colors = source(2, masks="color", labels={"#000000": 0, "#010101": 1}, void=[])
    text = sentence(decode_mask, encoded(np.dstack([mask] * 3)), "1.tif", colors)
    assert text.startswith(
        "mask 1.tif has the colours #070707 at 1 pixel, #090909 at 3 pixels and #c8c8c8 at 2 pixels, which are not in"
    )


def test_of_very_many_unknown_values_the_commonest_are_named():
    mask = np.append(np.arange(3, 103), [50, 50]).astype(np.uint16)[None]
    text = sentence(decode_mask, encoded(mask), "1.tif", source())
    assert "50 at 3 pixels" in text and "and 68 others at 68 pixels, outside" in text and "numbered objects" in text
    colors = source(2, masks="color", labels={"#000000": 0, "#010101": 1}, void=[])
    assert "so many colours come from smoothing" in sentence(
        decode_mask, encoded(np.dstack([mask.astype(np.uint8)] * 3)), "1.tif", colors
    )


# A class that train never shows.


@pytest.mark.parametrize("kind", ["inverse", "median_frequency"])
def test_an_unseen_class_weighs_nothing_and_changes_no_other_weight(kind):
    pixels, images = np.array([800, 0, 150, 50]), np.array([10, 0, 5, 1])
    weights = class_weights(kind, pixels, images, 100)
    assert weights.dtype == np.float32 and weights[1] == 0
    np.testing.assert_array_equal(weights[[0, 2, 3]], class_weights(kind, pixels[[0, 2, 3]], images[[0, 2, 3]], 100))


@pytest.mark.parametrize("kind", ["none", "inverse", "median_frequency"])
def test_losses_and_gradients_stay_finite_where_a_class_is_never_seen(kind):
    import tensorflow as tf

    weights = class_weights(kind, np.array([800, 0, 200]), np.array([10, 0, 5]), 100)
    logits = tf.Variable(RNG.normal(size=(2, 6, 7, 3)).astype(np.float32))
    labels = RNG.choice(np.array([0, 2, 255], np.uint8), (2, 6, 7))
    options = LossOptions.model_validate(read_yaml(PARAMS)["train"]["loss_options"])
    for name, loss in named_losses(options, weights).items():
        for truth in (labels, np.ones_like(labels)):  # as in train, and as validation may be
            with tf.GradientTape() as tape:
                value = loss(truth, logits)
            assert np.isfinite(value) and np.isfinite(tape.gradient(value, logits)).all(), name


# Thirty microscope images.


def microscope(root: Path, images: int = 30) -> list[np.ndarray]:
    """Write TIFF images of 16 bits and masks of 0 and 255 with bright cells, and return the labels."""
    rng, labels = np.random.default_rng(3), []
    rows, columns = np.mgrid[:48, :64]
    for number in range(images):
        y, x = rng.integers(12, 36), rng.integers(12, 52)
        cell = (rows - y) ** 2 + (columns - x) ** 2 < 80
        brightness = rng.integers(2000, 9000, cell.shape) + 40_000 * cell
        tiff(root / "images" / f"plate1/{number:02d}.tif", brightness.astype(np.uint16), rows=8)
        tiff(root / "masks" / f"plate1/{number:02d}_mask.tif", (255 * cell).astype(np.uint8), packed=True)
        labels.append(cell.astype(np.uint8))
    return labels


def prepared(root: Path, raw: Path, **changes: Any) -> None:
    from maskline.datasets.prepare import prepare

    prepare(SimpleNamespace(**(OF_FOLDER | {"path": str(root)} | changes)), 1, raw)


def test_thirty_microscope_images_become_shards(tmp_path, in_process):
    labels = microscope(tmp_path / "mine")
    before = {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*.tif")}
    prepared(tmp_path / "mine", tmp_path / "raw")
    text = sentence(build, tmp_path)
    assert "has the label 255 at " in text and "more such problems" in text
    assert "if 0 and 255 are ground and cell, set dataset.values to [0, 255]" in text and "dataset.void" not in text
    prepared(tmp_path / "mine", tmp_path / "raw", values=[0, 255])
    build(tmp_path)
    manifest = read_manifest(tmp_path / "shards")
    assert {role: split.examples for role, split in manifest.splits.items()} == {
        "train": 22,
        "validation": 2,
        "test": 6,
    }
    assert all(all(split.pixels) for split in manifest.splits.values())
    audit = json.loads((tmp_path / "shards/audit.json").read_text())
    assert audit["converted"]["sixteen_bit"] == audit["converted"]["greyscale"] == 30
    assert "dark_sixteen_bit" not in audit["converted"]
    names = ["plate1/00.tif", "plate1/01.tif"]
    role = read_source(tmp_path / "raw").splits
    assert set(role) == {"train", "test"}
    for name in names:
        for split in role:
            try:
                image, found = find_originals(tmp_path / "raw", split, [name]).read(0)
            except InputError:
                continue
            np.testing.assert_array_equal(found, labels[int(name[7:9])])
            assert image[found == 1].min() >= 160 > 40 > image[found == 0].max()
    assert {path: path.read_bytes() for path in before} == before


def test_images_of_twelve_bits_in_sixteen_are_counted_as_dark(tmp_path, in_process):
    microscope(tmp_path / "mine", 6)
    for number in range(3):
        tiff(tmp_path / f"mine/images/plate1/{number:02d}.tif", RNG.integers(0, 4096, (48, 64), np.uint16))
    prepared(tmp_path / "mine", tmp_path / "raw", values=[0, 255])
    build(tmp_path)
    converted = json.loads((tmp_path / "shards/audit.json").read_text())["converted"]
    assert (converted["sixteen_bit"], converted["dark_sixteen_bit"]) == (6, 3)


def build(folder: Path, **changes: Any) -> None:
    options = SplitOptions(1, None, 0.1)._replace(**changes)
    build_shards(folder / "raw", folder / "shards", Target(32, 32, "raw"), 16, options)


def test_raw_data_from_tiff_load_with_tfds(tmp_path):
    import tensorflow_datasets as tfds

    microscope(tmp_path / "mine", 4)
    prepared(tmp_path / "mine", tmp_path / "raw")
    builder = tfds.builder_from_directory(tmp_path / "raw/folder/1.0.0")
    examples = [example for split in ("train", "test") for example in builder.as_dataset(split=split)]
    assert len(examples) == 4 and all(example["image"].shape == (48, 64, 3) for example in examples)


def test_a_damaged_tiff_stops_download_with_its_sentence(tmp_path):
    microscope(tmp_path / "mine", 4)
    path = tmp_path / "mine/images/plate1/02.tif"
    path.write_bytes(path.read_bytes()[:900])
    text = sentence(prepared, tmp_path / "mine", tmp_path / "raw")
    assert str(path) in text and "cannot be read" in text and not (tmp_path / "raw").exists()


def test_an_unseen_class_is_refused_or_counted(tmp_path, in_process):
    microscope(tmp_path / "mine", 12)
    classes = ["ground", "cell", "debris"]
    prepared(tmp_path / "mine", tmp_path / "raw", classes=classes, values=[0, 255, 128])
    text = sentence(build, tmp_path)
    assert "has no pixel of debris in its 9 train images" in text and "set dataset.unseen to allow" in text
    build(tmp_path, unseen="allow")
    audit = json.loads((tmp_path / "shards/audit.json").read_text())
    assert audit["images_with_class"]["train"]["debris"] == audit["class_share"]["train"]["debris"] == 0
