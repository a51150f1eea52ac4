import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps
from raw_data import encoded, source

from maskline.contracts.fit import scaled_size
from maskline.errors import InputError
from maskline.shards.decode import decode_image, decode_mask, image_size
from maskline.shards.fitting import fitted_image
from maskline.shards.write.shard_statistics import difference_hash

NAME = "train/my photo é.png"
RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (12, 17, 3), np.uint8)
GREY = RNG.integers(0, 256, (12, 17), np.uint8)
ALPHA = RNG.integers(0, 256, (12, 17), np.uint8)
LABELS = RNG.choice(np.array([0, 1, 2, 255], np.uint8), (12, 17))
COLORS = source(
    masks="color", labels={"#000000": 0, "#ff0000": 1, "#00ff7f": 2}, void=["#ffffff"]
)  # sky, tree, crème brûlée
TABLE = {0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 255, 127), 255: (255, 255, 255)}


def image(data):
    decoded = decode_image(data, NAME)
    assert decoded.image.mode == "RGB"
    return np.asarray(decoded.image), decoded.conversions


def problem(decode, *arguments):
    with pytest.raises(InputError) as caught:
        decode(*arguments)
    sentence = str(caught.value)
    assert NAME in sentence and "\n" not in sentence and " at 0x" not in sentence
    return sentence


def colored(labels):
    return np.array([TABLE[label] for label in labels.ravel().tolist()], np.uint8).reshape(*labels.shape, 3)


def bilevel():
    return Image.fromarray(GREY).convert("1", dither=Image.Dither.NONE)


def palette(**options):
    made = Image.fromarray(GREY // 64).convert("P")
    made.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0, 7, 7, 7])
    return encoded(made, **options)


def test_plain_forms_are_left_alone():
    np.testing.assert_array_equal(image(encoded(COLOR))[0], COLOR)
    assert image(encoded(COLOR))[1] == ()
    assert image(encoded(COLOR, "jpeg"))[1] == ()


@pytest.mark.parametrize(
    ("data", "pixels", "conversions"),
    [
        (encoded(GREY), GREY, ("greyscale",)),
        (encoded(bilevel()), np.where(GREY > 127, 255, 0), ("greyscale",)),
        (encoded(np.dstack([GREY, ALPHA])), GREY, ("alpha", "greyscale")),
        (encoded(np.dstack([COLOR, ALPHA])), COLOR, ("alpha",)),
        (encoded(GREY.astype(np.uint16) * 256 + ALPHA), GREY, ("sixteen_bit", "greyscale")),
    ],
    ids=["L", "1", "LA", "RGBA", "I;16"],
)
def test_odd_form_becomes_rgb_and_is_counted(data, pixels, conversions):
    expected = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    got, counted = image(data)
    np.testing.assert_array_equal(got, expected)
    assert counted == conversions


def test_palette_becomes_its_colours():
    expected = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0], [7, 7, 7]])[GREY // 64]
    for data, conversions in [(palette(), ("palette",)), (palette(transparency=1), ("alpha", "palette"))]:
        got, counted = image(data)
        np.testing.assert_array_equal(got, expected)
        assert counted == conversions


def test_sixteen_bit_colour_keeps_its_high_bits():
    """Pillow writes no 16-bit colour PNG, so the file is put together here."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    deep = COLOR.astype(">u2") * 256 + ALPHA[..., None]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 17, 12, 16, 2, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    got, counted = image(data)
    np.testing.assert_array_equal(got, COLOR)
    assert counted == ("sixteen_bit",)


def test_cmyk_jpeg_becomes_rgb():
    smooth = np.dstack([np.tile(np.arange(0, 160, 10, np.uint8), (16, 1))] * 3)
    got, _ = image(encoded(Image.fromarray(smooth).convert("CMYK"), "jpeg", quality=95))
    assert np.abs(got.astype(int) - smooth).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_exif_orientation_is_applied(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.kron(COLOR[:3, :4], np.ones((8, 8, 1), np.uint8)))
    data = encoded(stored, form, exif=exif, **({"quality": 95, "subsampling": 0} if form == "jpeg" else {}))
    operation = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }[orientation]
    upright = np.asarray(stored if operation is None else stored.transpose(operation)).astype(int)
    got, counted = image(data)
    assert got.shape == upright.shape
    assert np.abs(got - upright).mean() < 3
    assert counted == (() if orientation == 1 else ("exif_rotated",))
    stored.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(stored)), upright)


@pytest.fixture(scope="module")
def photograph():
    """Coarse colors with a little noise, of 4.03 megapixels."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 240, (12, 15, 3), np.uint8)).resize((2100, 1920), Image.Resampling.BICUBIC)
    return np.asarray(coarse) // 2 + rng.integers(0, 16, (1920, 2100, 3), np.uint8)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_a_large_jpeg_is_reduced_as_it_is_decoded_and_looks_the_same(photograph, orientation, fit):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photograph, "jpeg", quality=90, exif=exif)
    size = image_size(data, NAME)
    assert size == ((2100, 1920) if orientation == 6 else (1920, 2100))
    whole = decode_image(data, NAME)
    reduced = decode_image(data, NAME, scaled_size(size, (200, 300), fit))
    assert reduced.conversions == whole.conversions
    assert (whole.image.height, whole.image.width) == size
    assert (reduced.image.height, reduced.image.width) == (size[0] // 4, size[1] // 4)
    ours, expected = (fitted_image(part.image, (200, 300), fit).astype(float) for part in (reduced, whole))
    assert 10 * np.log10(255**2 / np.mean((ours - expected) ** 2)) > 45
    apart = np.frombuffer(difference_hash(reduced.image), np.uint8) ^ np.frombuffer(
        difference_hash(whole.image), np.uint8
    )
    assert np.bitwise_count(apart).sum() <= 4  # near duplicates differ in up to 8


@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_that_is_cut_is_refused_at_either_scale(photograph, progressive):
    data = encoded(photograph, "jpeg", quality=90, progressive=progressive)
    for length in (len(data) // 2, len(data) - 500):
        assert problem(decode_image, data[:length], NAME, (240, 240)) == problem(decode_image, data[:length], NAME)


def test_no_png_is_reduced():
    made = np.zeros((2000, 2000), np.uint8)
    assert decode_image(encoded(made, compress_level=1), NAME, (16, 16)).image.size == (2000, 2000)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_size_is_that_of_the_decoded_image(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(COLOR, form, exif=exif)
    if form == "png":  # the chunk may also come after the pixels
        chunk = data.index(b"eXIf") - 4
        length = 12 + struct.unpack(">I", data[chunk : chunk + 4])[0]
        data = data[:chunk] + data[chunk + length : -12] + data[chunk : chunk + length] + data[-12:]
    decoded = decode_image(data, NAME).image
    assert image_size(data, NAME) == (decoded.height, decoded.width)
    assert image_size(encoded(COLOR, form), NAME) == COLOR.shape[:2]


def test_damaged_exif_is_no_obstacle():
    got, counted = image(encoded(COLOR, "jpeg", exif=b"Exif\0\0no tags at all"))
    assert got.shape == COLOR.shape and counted == ()


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_image_cut_anywhere_is_refused_by_name_or_loses_no_pixel(form):
    """The last bytes are checksums and the mark of the end, without which every pixel is there."""
    data = encoded(COLOR, form)
    whole, _ = image(data)
    for length in range(len(data)):
        if length < len(data) - 20:
            assert problem(decode_image, data[:length], NAME).startswith(f"image {NAME} ")
            continue
        try:
            np.testing.assert_array_equal(image(data[:length])[0], whole)
        except InputError as error:
            assert NAME in str(error)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds zero bytes; replace or remove it"),
        (b"not an image at all", "is neither PNG nor JPEG. Received: b'not an i'; convert it to PNG"),
        (b"GIF89a" + bytes(40), "is neither PNG nor JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "; replace or remove it"),
        (b"\xff\xd8\xff" + bytes(40), "is damaged near its start; replace or remove it"),
    ],
)
def test_what_is_no_image_is_refused_by_name(data, words):
    assert words in problem(decode_image, data, NAME)
    assert NAME in problem(decode_mask, data, NAME, source())


def test_damaged_bytes_give_pixels_or_a_sentence():
    """Two thousand damaged files: none may end in anything but an image, labels or an InputError."""
    bits = random.Random(0)
    forms = [encoded(COLOR), encoded(COLOR, "jpeg"), palette(), encoded(GREY.astype(np.uint16) * 300)]
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, of files it mends
        for whole in forms * 250:
            damaged = bytearray(whole)
            for _ in range(bits.choice((1, 3))):
                damaged[bits.randrange(8, len(whole))] = bits.randrange(256)
            for decode in (lambda data: decode_image(data, NAME), lambda data: decode_mask(data, NAME, source())):
                try:
                    decode(bytes(damaged))
                except InputError as error:
                    refused += 1
                    assert NAME in str(error)
    assert refused > 500


def test_a_decompression_bomb_is_refused():
    huge = encoded(np.zeros((1, 1), np.uint8))
    bomb = huge[:16] + (40_000).to_bytes(4, "big") * 2 + huge[24:]
    assert problem(decode_image, bomb, NAME).startswith(f"image {NAME} ")


@pytest.mark.parametrize(
    "data",
    [
        encoded(LABELS),
        encoded(LABELS.astype(np.uint16)),
    ],
    ids=["L", "I;16"],
)
def test_index_masks_give_their_labels(data):
    got = decode_mask(data, NAME, source())
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, LABELS)


def test_palette_mask_is_read_by_its_values_not_its_colours():
    made = Image.frombytes("P", (17, 12), LABELS.tobytes())
    made.putpalette(list(range(255, -1, -1)) * 3)
    np.testing.assert_array_equal(decode_mask(encoded(made), NAME, source()), LABELS)


def test_bilevel_mask_gives_labels_0_and_1():
    got = decode_mask(encoded(bilevel()), NAME, source())
    np.testing.assert_array_equal(got, (GREY > 127).astype(np.uint8))


def test_values_become_labels_by_the_sources_table():
    """A trimap, whose values 1 to 3 are classes 0 to 2, and 16-bit values above 255."""
    about = source(labels={"1": 0, "2": 1, "40000": 2}, void=["0", "65535"])
    values = np.array([[1, 2, 40000], [0, 65535, 2]], np.uint16)
    np.testing.assert_array_equal(decode_mask(encoded(values), NAME, about), [[0, 1, 2], [255, 255, 1]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_label_outside_the_classes_is_named(dtype):
    values = LABELS.astype(dtype)
    values[3:5, 6] = 9
    sentence = problem(decode_mask, encoded(values), NAME, source())
    assert sentence.startswith(f"mask {NAME} has the label 9 at 2 pixels, outside the classes and void (0, 1, 2, 255);")


@pytest.mark.parametrize(("made", "mode"), [(COLOR, "RGB"), (np.dstack([GREY, ALPHA]), "LA")])
def test_index_mask_with_more_channels_is_refused(made, mode):
    sentence = problem(decode_mask, encoded(made), NAME, source())
    assert f"has the channels {mode}, but index masks have one; save it with one channel" in sentence


@pytest.mark.parametrize("about", [source(), COLORS], ids=["index", "color"])
def test_jpeg_mask_is_refused(about):
    sentence = problem(decode_mask, encoded(LABELS, "jpeg"), NAME, about)
    assert sentence == f"mask {NAME} is a JPEG, whose compression changes labels; save it as PNG."


def test_color_masks_give_their_labels():
    rgb = colored(LABELS)
    forms = [rgb, np.dstack([rgb, ALPHA]), Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)]
    for form in forms:
        got = decode_mask(encoded(form), NAME, COLORS)
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, LABELS)


def test_grey_color_masks_give_their_labels():
    labels = np.where(GREY > 127, 255, 0).astype(np.uint8)
    for form in (labels, np.dstack([labels, ALPHA]), bilevel()):
        np.testing.assert_array_equal(decode_mask(encoded(form), NAME, COLORS), labels)


@pytest.mark.parametrize("color", [(1, 2, 3), (255, 0, 1), (0, 0, 1), (255, 255, 254)])
def test_colour_outside_the_table_is_named(color):
    made = colored(LABELS)
    made[2, 3:7] = color
    sentence = problem(decode_mask, encoded(made), NAME, COLORS)
    shown = "#{:02x}{:02x}{:02x}".format(*color)
    assert sentence.startswith(f"mask {NAME} has the colour {shown} at 4 pixels, which is not in the table;")


def test_sixteen_bit_grey_color_mask_is_refused():
    """Pillow would clip its values to 8 bits, and white would come of any bright grey."""
    sentence = problem(decode_mask, encoded(np.full((4, 4), 40_000, np.uint16)), NAME, COLORS)
    assert "has 16-bit grey values, but color masks have 8-bit colours" in sentence


def test_a_png_with_damaged_exif_is_told():
    """Pillow passes over such data in a JPEG, and raises for them in a PNG."""
    data = encoded(COLOR)
    for exif in (b"", b"no tags at all", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + bytes(9)):
        try:
            got, counted = image(_with_exif(data, exif))
        except InputError as error:
            assert f"image {NAME} has EXIF data that cannot be read (" in str(error)
            assert str(error).endswith("); save it again without them.") and "\n" not in str(error)
        else:
            np.testing.assert_array_equal(got, COLOR)
            assert counted == ()
    assert "has EXIF data" in problem(decode_image, _with_exif(data, b"no tags at all"), NAME)


def _with_exif(data, exif):
    """Put a chunk of EXIF data after the header of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    return data[:33] + struct.pack(">I", len(exif)) + b"eXIf" + exif + checksum + data[33:]
