"""How images of any shape fit into the size of the training images: the geometry's laws, and the shards."""

import io
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from raw_data import Pair, encoded, painted, pairs_of_shapes, write_raw

from maskline.contracts.classes import VOID
from maskline.contracts.fit import is_too_long, middle, reduction, scaled_size
from maskline.contracts.manifest import Manifest, read_manifest
from maskline.contracts.model_info import Preprocessing
from maskline.errors import ArtifactError, InputError
from maskline.prediction.fitting import content, fitted, model_input
from maskline.prediction.inference import Inference
from maskline.shards.fitting import fitted_image, fitted_labels, padded
from maskline.shards.read.reader import ShardReader
from maskline.shards.tfrecord import encode_example, frame
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

FITS = ("stretch", "pad", "crop")
SIZE = (32, 48)
SIZES = st.tuples(st.integers(1, 400), st.integers(1, 400))
WANTED = st.tuples(st.integers(16, 300), st.integers(16, 300))


# The geometry.


@given(SIZES, WANTED)
def test_pad_is_the_largest_inside_and_crop_the_smallest_that_covers(image, size):
    scales = [Fraction(wanted, length) for wanted, length in zip(size, image, strict=True)]
    for fit, scale, limit in (("pad", min(scales), min), ("crop", max(scales), max)):
        scaled = scaled_size(image, size, fit)
        assert [limit(pair) for pair in zip(scaled, size, strict=True)] == list(scaled)
        assert any(got == wanted for got, wanted in zip(scaled, size, strict=True))
        for got, length in zip(scaled, image, strict=True):
            assert got >= 1 and (abs(got - scale * length) <= Fraction(1, 2) or got == 1)
    assert scaled_size(image, size, "stretch") == size


@given(WANTED, st.integers(1, 9), st.sampled_from(FITS))
def test_an_image_of_the_same_shape_gets_the_size_itself(size, times, fit):
    assert scaled_size((times * size[0], times * size[1]), size, fit) == size


@given(SIZES, WANTED)
def test_a_turned_image_gets_the_turned_size(image, size):
    for fit in FITS:
        assert scaled_size(image[::-1], size[::-1], fit) == scaled_size(image, size, fit)[::-1]


@given(st.tuples(st.integers(1, 12000), st.integers(1, 12000)), WANTED)
def test_a_reduction_leaves_whole_pixels_and_enough_of_them(image, size):
    for fit in FITS:
        scaled = scaled_size(image, size, fit)
        factor = reduction(image, scaled)
        assert factor in (1, 2, 4, 8) and (factor == 1 or image[0] * image[1] >= 4_000_000)
        assert all(length % factor == 0 for length in image)
        left = image[0] // factor, image[1] // factor
        assert factor == 1 or all(length >= 1.4 * wanted for length, wanted in zip(left, scaled, strict=True))
        assert scaled_size(left, size, fit) == scaled


def test_photographs_are_reduced_and_images_of_known_data_sets_are_not():
    assert [reduction((3024, 4032), (side, side)) for side in (128, 256, 512, 1024, 2048)] == [8, 8, 4, 2, 1]
    assert reduction((500, 375), (64, 64)) == reduction((1024, 2048), (128, 256)) == 1


@given(WANTED, st.data())
def test_the_middle_is_in_the_middle(outer, data):
    inner = tuple(data.draw(st.integers(1, length)) for length in outer)
    for part, length, wanted in zip(middle(outer, inner), outer, inner, strict=True):
        after = length - part.stop
        assert part.stop - part.start == wanted and 0 <= after - part.start <= 1


@given(st.tuples(*[st.integers(1, 12)] * 2), st.tuples(*[st.integers(12, 60)] * 2))
def test_padding_mirrors_the_image_as_often_as_it_takes(image, size):
    pixels = np.arange(3 * image[0] * image[1]).reshape(*image, 3).astype(np.uint8)
    rows, columns = (
        [abs((at - part.start) % (2 * length) * 2 + 1 - 2 * length) for at in range(wanted)]
        for part, length, wanted in zip(middle(size, image), image, size, strict=True)
    )
    # At a distance of 2 n + 1 half pixels from the far edge lies pixel `length - 1 - n`.
    places = np.ix_(
        [image[0] - 1 - distance // 2 for distance in rows], [image[1] - 1 - distance // 2 for distance in columns]
    )
    np.testing.assert_array_equal(padded(pixels, size), pixels[places])


@given(st.tuples(*[st.integers(1, 70)] * 2), st.sampled_from(FITS), st.integers(0, 9))
def test_what_shows_the_image_is_the_image(image, fit, seed):
    """What preprocess stores of an image is what a model gets of it, and the inverse finds the image in it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*image, 3), np.uint8)
    made = Preprocessing(height=SIZE[0], width=SIZE[1], fit=fit)
    got, stored = model_input(pixels, made), fitted_image(Image.fromarray(pixels), SIZE, fit)
    part = content(got.shape[:2], image, made)
    scaled = scaled_size(image, SIZE, fit)
    whole = np.asarray(Image.fromarray(pixels).resize(scaled[::-1], Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(got[part], whole)
    np.testing.assert_array_equal(stored, got[middle(got.shape[:2], SIZE)])
    assert stored.shape == (*SIZE, 3)


def test_crop_is_predicted_in_windows_of_the_training_size():
    made = {fit: Preprocessing(height=32, width=48, fit=fit) for fit in FITS}
    assert fitted(Inference(flip=True), made["crop"]) == Inference(flip=True, window=(32, 48))
    assert fitted(Inference(), made["pad"]) == fitted(Inference(), made["stretch"]) == Inference()


def test_only_crop_meets_images_that_are_too_long():
    assert is_too_long((1, 10_000), SIZE, "crop")
    assert not is_too_long((100, 5_000), SIZE, "crop") and not is_too_long((1, 10_000), SIZE, "pad")


def test_an_older_model_and_older_shards_were_stretched():
    assert Preprocessing.model_validate({"height": 32, "width": 48}).fit == "stretch"
    assert Manifest.model_fields["fit"].get_default() == "stretch"


# The shards.


@pytest.fixture
def built(tmp_path, in_process):
    """Return a function that builds shards with a fit, and returns their folder and the examples."""
    splits = {role: pairs_of_shapes(8, seed, role) for seed, role in enumerate(("train", "validation", "test"))}
    write_raw(tmp_path / "raw", splits)

    def build(fit, encoding="raw"):
        out = tmp_path / fit
        build_shards(tmp_path / "raw", out, Target(*SIZE, encoding, fit), 5, SplitOptions(1, None, 0.1))
        return out, splits

    return build


def decoded(pair):
    return [Image.open(io.BytesIO(data)) for data in (pair.image, pair.mask)]


def stated(pair, fit):
    """Return image and labels as they should be in the shards, by Pillow and a loop over pixels."""
    image, mask = decoded(pair)
    if fit == "stretch":
        size, left, top = (48, 32), 0, 0
    else:
        limit = max if fit == "crop" else min
        scale = limit(32 / image.height, 48 / image.width)
        size = tuple(int(side * scale + 0.5 + 1e-9) for side in image.size)
        left, top = (48 - size[0]) // 2, (32 - size[1]) // 2
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    labels = np.asarray(mask.resize(size, Image.Resampling.NEAREST))
    if fit == "crop":
        left, top = (size[0] - 48) // 2, (size[1] - 32) // 2
        return pixels[top : top + 32, left : left + 48], labels[top : top + 32, left : left + 48]
    shown, known = np.zeros((*SIZE, 3), np.uint8), np.full(SIZE, VOID, np.uint8)
    for y in range(32):
        for x in range(48):
            from_x, from_y = x - left, y - top
            if 0 <= from_x < size[0] and 0 <= from_y < size[1]:
                known[y, x] = labels[from_y, from_x]
            shown[y, x] = pixels[bounced(from_y, size[1]), bounced(from_x, size[0])]
    return shown, known


def bounced(at, length):
    """Walk to a position outside, turning at each edge."""
    while not 0 <= at < length:
        at = -1 - at if at < 0 else 2 * length - 1 - at
    return at


@pytest.mark.parametrize("fit", FITS)
def test_shards_hold_what_the_fit_says(built, fit):
    shards, splits = built(fit)
    manifest = read_manifest(shards)
    assert (manifest.fit, manifest.height, manifest.width) == (fit, *SIZE)
    for role, pairs in splits.items():
        reader = ShardReader(shards, manifest, role)
        images, labels = reader.read(range(len(pairs)))
        void = 0
        for index, pair in enumerate(pairs):
            expected = stated(pair, fit)
            np.testing.assert_array_equal(images[index], expected[0])
            np.testing.assert_array_equal(labels[index], expected[1])
            part = reader.content(index)
            inside = np.zeros(SIZE, bool)
            inside[part] = True
            assert (labels[index][~inside] == VOID).all()
            shown = scaled_size(decoded(pair)[0].size[::-1], SIZE, "pad") if fit == "pad" else SIZE
            assert labels[index][part].shape == shown
            void += (labels[index][part] == VOID).sum()
        assert manifest.splits[role].void_pixels == void
        assert manifest.splits[role].pixels == [int((labels == label).sum()) for label in range(3)]


def test_stretch_has_the_bytes_of_a_plain_resize(built):
    shards, splits = built("stretch")
    data = b""
    for pair in splits["train"][:5]:
        image, labels = stated(pair, "stretch")
        features = {
            "image/encoded": image.tobytes(),
            "image/format": b"raw",
            "image/height": 32,
            "image/width": 48,
            "image/filename": pair.name.encode(),
            "image/segmentation/class/encoded": labels.tobytes(),
            "image/segmentation/class/format": b"raw",
        }
        data += frame(encode_example(features))
    assert (shards / "train-00000-of-00002.tfrecord").read_bytes() == data


def test_the_audit_counts_padding_and_what_is_cut_off_apart(built):
    found = {fit: json.loads((built(fit)[0] / "audit.json").read_text()) for fit in FITS}
    pairs = pairs_of_shapes(8, 0, "train")
    areas = {
        fit: [np.prod(scaled_size(decoded(pair)[0].size[::-1], SIZE, fit)) for pair in pairs] for fit in ("pad", "crop")
    }
    frame_area = SIZE[0] * SIZE[1]
    padding = 1 - sum(areas["pad"]) / (8 * frame_area)
    cropped = 1 - 8 * frame_area / sum(areas["crop"])
    for fit, shares in {"stretch": (0, 0), "pad": (padding, 0), "crop": (0, cropped)}.items():
        got = found[fit]["padding_share"]["train"], found[fit]["cropped_share"]["train"]
        assert got == pytest.approx(shares, abs=1e-6)
    void = sum((stated(pair, "pad")[1] == VOID).sum() for pair in pairs) - (8 * frame_area - sum(areas["pad"]))
    assert found["pad"]["void_share"]["train"] == pytest.approx(void / sum(areas["pad"]), abs=1e-6)


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_padding_is_known_in_every_encoding(built, encoding):
    shards, splits = built("pad", encoding)
    reader = ShardReader(shards, read_manifest(shards), "test")
    _, labels = reader.read(range(8))
    for index, pair in enumerate(splits["test"]):
        np.testing.assert_array_equal(labels[index], stated(pair, "pad")[1])
        assert labels[index][reader.content(index)].shape == scaled_size(decoded(pair)[0].size[::-1], SIZE, "pad")


def test_shards_that_are_not_padded_are_not_taken_for_padded(built):
    shards, _ = built("stretch")
    text = (shards / "manifest.json").read_text()
    (shards / "manifest.json").write_text(text.replace('"stretch"', '"pad"'))
    with pytest.raises(ArtifactError, match="does not hold the padded images that the manifest records"):
        ShardReader(shards, read_manifest(shards), "train")


def test_an_image_too_long_to_be_cropped_is_named(tmp_path, in_process):
    labels = np.zeros((1, 10_000), np.uint8)
    long = Pair("long.png", encoded(painted(labels)), encoded(labels))
    write_raw(tmp_path / "raw", {role: [long] for role in ("train", "validation", "test")})
    with pytest.raises(InputError, match=r"image train/long.png has the size 1x10000, too long .* set fit to pad"):
        build_shards(tmp_path / "raw", tmp_path / "out", Target(*SIZE, "raw", "crop"), 5, SplitOptions(1, None, 0.1))
    assert not (tmp_path / "out").exists()


def test_a_line_of_pixels_is_padded():
    assert fitted_labels(np.zeros((1, 400), np.uint8), SIZE, "pad").tolist().count([0] * 48) == 1
    image = fitted_image(Image.new("RGB", (1, 400), "red"), SIZE, "pad")
    np.testing.assert_array_equal(image, np.broadcast_to([255, 0, 0], (*SIZE, 3)))
