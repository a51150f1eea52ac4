"""The images that users have: every format and form, large TIFFs by rows, and what is refused."""

import hashlib
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, TiffImagePlugin
from raw_data import encoded

from maskline.errors import ImageError
from maskline.files.further_images import rgb
from maskline.prediction.decode import decode
from maskline.prediction.open_image import open_image
from maskline.prediction.tiff_rows import open_by_rows
from maskline.shards.decode import decode_image

NAME = "photos/my photo é.tif"
RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (37, 53, 3), np.uint8)
SMOOTH = np.asarray(Image.fromarray(COLOR).resize((530, 370), Image.Resampling.BICUBIC))
GRAY = COLOR[..., 0]


def saved(image, form, **options):
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, form, **options)
    return out.getvalue()


def pixels(data):
    found = decode(data, NAME)
    assert found.mode == "RGB"
    return np.asarray(found)


def problem(data):
    with pytest.raises(ImageError) as caught:
        decode(data, NAME)
    sentence = str(caught.value)
    assert NAME in sentence and "\n" not in sentence and " at 0x" not in sentence and sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("data", [encoded(COLOR), encoded(COLOR, "jpeg"), encoded(GRAY)], ids=["png", "jpeg", "gray"])
def test_png_and_jpeg_are_decoded_as_preprocess_does(data):
    np.testing.assert_array_equal(pixels(data), np.asarray(decode_image(data, NAME).image))


@pytest.mark.parametrize("form", ["TIFF", "BMP", "WEBP", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
def test_every_form_of_every_lossless_format_gives_one_result(form, mode):
    image = Image.fromarray(COLOR).convert(mode)
    options = {"lossless": True} if form == "WEBP" else {}
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(pixels(saved(image, form, **options)), expected)


def test_sixteen_bits_keep_their_high_ones():
    deep = Image.fromarray(GRAY.astype(np.uint16) * 256 + GRAY[::-1])
    for form in ("TIFF", "PNG"):
        np.testing.assert_array_equal(pixels(saved(deep, form)), np.repeat(GRAY[..., None], 3, axis=2))


def test_cmyk_is_converted_in_jpeg_and_tiff_alike():
    inks = Image.fromarray(SMOOTH).convert("CMYK")
    expected = np.asarray(inks.convert("RGB")).astype(int)
    np.testing.assert_array_equal(pixels(saved(inks, "TIFF")), expected)
    assert np.abs(pixels(saved(inks, "JPEG", quality=95)) - expected).mean() < 2


def test_exif_and_tiff_orientations_are_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    upright = np.rot90(COLOR, -1)
    np.testing.assert_array_equal(pixels(saved(COLOR, "WEBP", exif=exif, lossless=True)), upright)
    np.testing.assert_array_equal(pixels(saved(COLOR, "TIFF", tiffinfo={0x0112: 6})), upright)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds zero bytes"),
        (b"hello, I am no image", "cannot be read as PNG, JPEG, TIFF, BMP or WebP. Received: b'hello, I'"),
        (saved(COLOR, "GIF"), "cannot be read as"),
        (saved(SMOOTH, "JPEG")[:3000], "replace or remove it"),
        (saved(SMOOTH, "PNG")[:3000], "replace or remove it"),
        (saved(SMOOTH, "TIFF")[:3000], "cannot be read: image file is truncated"),
        (saved(SMOOTH, "TIFF", compression="tiff_lzw")[:-3000], "TIFF"),
        (saved(SMOOTH, "WEBP")[:3000], "replace or remove it"),
        (saved(SMOOTH, "BMP")[:3000], "cannot be read: image file is truncated"),
        (saved(Image.fromarray(GRAY.astype(np.float32)), "TIFF"), "values of the kind F"),
        (saved(Image.fromarray(GRAY.astype(np.int32)), "TIFF"), "values of the kind I"),
        (saved(COLOR, "TIFF", save_all=True, append_images=[Image.fromarray(COLOR)]), "holds 2 images"),
        (saved(COLOR, "WEBP", save_all=True, append_images=[Image.fromarray(255 - COLOR)]), "holds 2 images"),
    ],
    ids=["empty", "text", "gif", "jpeg", "png", "tiff", "lzw", "webp", "bmp", "float", "int", "pages", "animation"],
)
def test_what_is_no_image_is_one_sentence(data, words):
    assert words in problem(data)


def test_lab_colors_are_refused():
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(COLOR), to_lab)
    assert "values of the kind LAB" in problem(saved(lab, "TIFF"))


def test_a_preview_inside_a_tiff_is_no_second_image():
    preview = Image.fromarray(COLOR).reduce(2)
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    np.testing.assert_array_equal(pixels(saved(COLOR, "TIFF", save_all=True, append_images=[preview])), COLOR)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_an_image_beyond_the_bound_is_told_how_to_be_stored(form, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    sentence = problem(saved(COLOR, form))
    assert "more than 1800 pixels" in sentence and "TIFF in strips or tiles" in sentence


def test_a_large_image_gives_no_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(pixels(encoded(COLOR)), COLOR)
        np.testing.assert_array_equal(pixels(saved(COLOR, "BMP")), COLOR)


def tiled(image, side, *, packed, prefix=b"II"):
    """Return a TIFF in tiles, which Pillow does not write."""
    height, width, channels = image.shape
    tiles = []
    for top in range(0, height, side):
        for left in range(0, width, side):
            tile = np.zeros((side, side, channels), image.dtype)
            part = image[top : top + side, left : left + side]
            tile[: part.shape[0], : part.shape[1]] = part
            order = "<" if prefix == b"II" else ">"
            data = tile.astype(tile.dtype.newbyteorder(order)).tobytes()
            tiles.append(zlib.compress(data) if packed else data)
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=prefix)
    bits = 8 * image.dtype.itemsize
    for tag, value in {
        256: width, 257: height, 258: (bits,) * channels, 259: 8 if packed else 1, 262: 2 if channels == 3 else 1,
        277: channels, 284: 1, 322: side, 323: side, 324: (0,) * len(tiles), 325: tuple(map(len, tiles)),
    }.items():  # fmt: skip
        tags[tag] = value
    tags.tagtype[324] = tags.tagtype[325] = 4
    header = len(tags.tobytes(8)) + 8
    tags[324] = tuple(header + sum(map(len, tiles[:i])) for i in range(len(tiles)))
    start = b"II*\0\x08\0\0\0" if prefix == b"II" else b"MM\0*\0\0\0\x08"
    return start + tags.tobytes(8) + b"".join(tiles)


def strips(mode, rows, compression):
    image = Image.fromarray(SMOOTH).convert(mode)
    return saved(image, "TIFF", compression=compression, tiffinfo={278: rows})


LARGE = {
    f"{mode} {rows} {compression}": strips(mode, rows, compression)
    for mode in ("RGB", "L", "RGBA", "P", "CMYK")
    for rows in (16, 370)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    if (mode, compression) != ("P", "jpeg")
} | {
    f"tiles {packed} {prefix.decode()} {deep.dtype} {deep.shape[2]}": tiled(deep, 48, packed=packed, prefix=prefix)
    for packed in (False, True)
    for prefix in (b"II", b"MM")
    for deep in (SMOOTH, SMOOTH[..., :1], SMOOTH.astype(np.uint16) * 257)
    if prefix == b"II" or deep.dtype == np.uint8
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_rows_of_a_tiff_are_those_of_the_whole(name, tmp_path):
    path = tmp_path / "large é.tif"
    path.write_bytes(LARGE[name])
    image = open_by_rows(path, NAME, large=1)
    whole = pixels(LARGE[name])
    assert image and (image.height, image.width) == whole.shape[:2]
    for start, stop in [(0, 370), (0, 1), (369, 370), (15, 17), (100, 250)]:
        np.testing.assert_array_equal(image.rows(start, stop), whole[start:stop])


def test_a_row_is_read_without_the_rest(tmp_path):
    """A strip elsewhere is damaged, which reading the row does not notice."""
    path = tmp_path / "large.tif"
    data = bytearray(strips("RGB", 16, "tiff_adobe_deflate"))
    whole = pixels(bytes(data))
    with Image.open(io.BytesIO(data)) as image:
        offset = image.tag_v2[273][10]
    data[offset : offset + 200] = bytes(200)
    path.write_bytes(data)
    image = open_by_rows(path, NAME, large=1)
    np.testing.assert_array_equal(image.rows(0, 160), whole[:160])
    with pytest.raises(ImageError, match="cannot be read"):
        image.rows(160, 161)


def test_a_truncated_tiff_is_an_error_where_it_ends(tmp_path):
    path = tmp_path / "large.tif"
    path.write_bytes(tiled(SMOOTH, 48, packed=False)[:-5000])
    image = open_by_rows(path, NAME, large=1)
    image.rows(0, 48)
    with pytest.raises(ImageError, match="truncated"):
        image.rows(0, 370)


def test_a_tiff_that_is_removed_meanwhile_is_a_bad_image(tmp_path):
    path = tmp_path / "large.tif"
    path.write_bytes(strips("RGB", 16, "raw"))
    image = open_by_rows(path, NAME, large=1)
    path.unlink()
    with pytest.raises(ImageError, match=r"No such file or directory \(.*large\.tif\); fix it and try again\."):
        image.rows(0, 1)


@pytest.mark.parametrize(
    "data",
    [
        saved(SMOOTH, "TIFF", tiffinfo={0x0112: 6}),
        saved(SMOOTH, "TIFF", save_all=True, append_images=[Image.fromarray(SMOOTH)]),
        b"II*\0 nothing more",
        encoded(SMOOTH),
    ],
    ids=["rotated", "pages", "damaged", "png"],
)
def test_others_are_decoded_whole(data, tmp_path):
    (tmp_path / "image.tif").write_bytes(data)
    assert open_by_rows(tmp_path / "image.tif", NAME, large=1) is None


def test_a_small_tiff_is_decoded_whole_and_the_digest_is_that_of_the_file(tmp_path):
    path = tmp_path / "image.tif"
    path.write_bytes(LARGE["RGB 16 raw"])
    image = open_image(path, NAME)
    np.testing.assert_array_equal(image.rows.rows(0, 370), SMOOTH)
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@given(st.binary(max_size=400), st.integers(0, 3))
def test_no_bytes_end_in_anything_but_an_image_or_a_sentence(tail, kind):
    starts = [saved(COLOR, "TIFF")[-300:], b"II*\0" + struct.pack("<I", 8), b"BM", b"RIFF\0\1\0\0WEBP"]
    try:
        decode(starts[kind] + tail, NAME)
    except ImageError as error:
        assert NAME in str(error)


def test_gray_of_sixteen_bits_in_memory():
    deep = Image.fromarray(GRAY.astype(np.uint16) * 256)
    np.testing.assert_array_equal(np.asarray(rgb(deep, "x"))[..., 0], GRAY)
