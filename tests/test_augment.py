from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from raw_data import PALETTE, painted

from maskline.params.augment import AugmentParams
from maskline.shards.read import augment
from maskline.shards.read.colors import blur, color_jitter
from maskline.shards.read.copy_paste import copy_paste
from maskline.shards.read.draws import DRAWS, Draw
from maskline.shards.read.rare import rare_classes, rare_pixel
from maskline.shards.read.views import Crop, affine, flip, flip_vertical, quarter_turn

VOID = 255
OFF = {"flip": False, "flip_vertical": False, "quarter_turns": False, "crop": None}
STRENGTHS = {
    "flip": True, "flip_vertical": True, "quarter_turns": True, "scale": 0.4, "rotation": 30, "translation": 0.3,
    "copy_paste": 0.5, "brightness": 0.3, "contrast": 0.4, "saturation": 0.5, "hue": 90, "blur": 2.0,
}  # fmt: skip
NONE = AugmentParams(**dict.fromkeys(AugmentParams.model_fields, 0.0) | OFF)
ALL = NONE.model_copy(update=STRENGTHS | {"quarter_turns": False})
COLORS = ("brightness", "contrast", "saturation", "hue", "blur")


class Train:
    """A train split of probes, in which class 3 is the rarest and in every image but the first."""

    def __init__(self, size=(64, 48)):
        self.size, self.pixels = size, [9, 8, 7, 1]
        self.images, self.labels = probes(6, *size)
        self.labels[0][self.labels[0] == 3] = 0

    def __len__(self):
        return len(self.images)

    def read(self, indices):
        return painted(self.labels[indices]), self.labels[indices].copy()


def augmentation(params, size=(64, 48)):
    return augment.augmentation(params, Train(size))


def probes(count=6, height=64, width=48):
    """Return images whose colours say their labels, and the labels: blocks wide enough to have an inside."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 4, (count, 4, 3), np.uint8), np.ones((1, height // 4, width // 3), np.uint8))
    return painted(labels), labels


def draws(count=6, seed=1):
    rng = np.random.default_rng(seed)
    return np.hstack([rng.random((count, columns), np.float32) for columns in (8, DRAWS - 8)])


def middle(count=6, **changes):
    """Return draws that change nothing, but for the columns named."""
    made = np.full((count, DRAWS), 0.5, np.float32)
    for name, value in changes.items():
        made[:, Draw[name]] = value
    return made


def run(operation, images, labels, random):
    moved, masks = images.copy(), labels.copy()
    for image, mask, draw in zip(moved, masks, random, strict=True):
        operation(image, mask, draw)
    return moved, masks


def inside(labels):
    """Return the pixels whose eight neighbours have their label, away from the frame."""
    same = np.zeros(labels.shape, bool)
    same[:, 1:-1, 1:-1] = True
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            same &= np.roll(labels, (down, right), (1, 2)) == labels
    return same


def assert_aligned(images, labels, tolerance=0):
    """Assert that each valid pixel away from an edge has the colour of its label."""
    clear = inside(labels) & (labels != VOID)
    assert clear.mean() > 0.2
    assert np.abs(images[clear].astype(int) - PALETTE[labels[clear]]).max() <= tolerance


@pytest.mark.parametrize(
    "operation",
    [
        flip,
        flip_vertical,
        affine(0.5, 0),
        affine(0, 45),
        affine(0.4, 180),
        affine(0.85, 10),
        affine(0, 0, 0.5),
    ],
    ids=["flip", "vertical", "scale", "rotation", "both", "strong", "translation"],
)
@pytest.mark.parametrize("seed", range(3))
def test_image_and_mask_move_together(operation, seed):
    images, labels = probes()
    moved, masks = run(operation, images, labels, draws(seed=seed))
    assert set(np.unique(masks)) <= set(np.unique(labels)) | {VOID}
    assert_aligned(moved, masks)
    assert (masks != labels).any()


def test_all_operations_keep_image_and_mask_together_but_for_colour():
    images, labels = probes()
    moved, masks = run(augmentation(ALL.model_copy(update=dict.fromkeys(COLORS, 0.0))), images, labels, draws())
    assert_aligned(moved, masks)


@pytest.mark.parametrize("params", [ALL, NONE.model_copy(update={"flip": True}), NONE], ids=["all", "flip", "none"])
def test_inside_tf_data_it_does_what_it_does_eagerly(params):
    images, labels = probes()
    operation = augmentation(params)
    eager = run(operation, images, labels, draws())

    def inside_map(*values):
        moved, masks = tf.numpy_function(partial(run, operation), values, (tf.uint8, tf.uint8))
        return moved, masks

    data = tf.data.Dataset.from_tensors((images, labels, draws())).repeat(3).map(inside_map, num_parallel_calls=2)
    for found in data.as_numpy_iterator():
        for one, other in zip(eager, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_images_result_does_not_depend_on_its_batch():
    images, labels = probes()
    random, operation = draws(), augmentation(ALL)
    whole = run(operation, images, labels, random)
    order = [4, 0, 3]
    for one, other in zip(run(operation, images[order], labels[order], random[order]), whole, strict=True):
        np.testing.assert_array_equal(one, other[order])
    alone = run(operation, images[2:3], labels[2:3], random[2:3])
    np.testing.assert_array_equal(alone[0][0], whole[0][2])
    np.testing.assert_array_equal(alone[1][0], whole[1][2])


def test_the_same_draws_give_the_same_bytes():
    images, labels = probes()
    first, second = (run(augmentation(ALL), images, labels, draws()) for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes() and first[1].tobytes() == second[1].tobytes()


def test_no_strength_changes_nothing():
    images, labels = probes()
    moved, masks = run(augmentation(NONE), images, labels, draws())
    np.testing.assert_array_equal(moved, images)
    np.testing.assert_array_equal(masks, labels)


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_strength_changes_images_and_only_moves_change_labels(name):
    images, labels = probes(height=48)
    random = draws()
    random[:, Draw.FLIP] = [0.1, 0.9] * 3
    operation = augmentation(NONE.model_copy(update={name: STRENGTHS[name]}), (48, 48))
    moved, masks = run(operation, images, labels, random)
    assert moved.dtype == np.uint8 and (moved != images).any()
    assert (masks != labels).any() == (name not in COLORS)


@pytest.mark.parametrize("name", ["scale", "rotation", "translation", "brightness", "contrast", "saturation", "hue"])
def test_the_middle_draw_changes_nothing(name):
    images, labels = probes()
    operation = augmentation(NONE.model_copy(update={name: STRENGTHS[name]}))
    moved, masks = run(operation, images, labels, middle())
    assert np.abs(moved.astype(int) - images).max() <= 1
    np.testing.assert_array_equal(masks, labels)


def test_flip_mirrors_below_a_half_and_twice_is_none():
    images, labels = probes()
    random = middle(FLIP=[0.0, 0.49, 0.5, 0.51, 0.99, 0.2])
    moved, masks = run(flip, images, labels, random)
    for index, mirrored in enumerate([True, True, False, False, False, True]):
        step = -1 if mirrored else 1
        np.testing.assert_array_equal(moved[index], images[index, :, ::step])
        np.testing.assert_array_equal(masks[index], labels[index, :, ::step])
    again, back = run(flip, moved, masks, random)
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(back, labels)


def test_outside_the_frame_is_the_reflection_of_image_and_labels():
    images, labels = probes(height=60, width=48)
    moved, masks = run(affine(0.5, 0), images, labels, middle(SCALE=0.0))
    assert (masks != VOID).all() and (moved.max(axis=-1) > 0).all()
    assert_aligned(moved, masks)
    inner = masks[:, 16:44, 13:35]
    for axis, (place, length) in {1: (16, 12), 2: (13, 10)}.items():
        mirrored = np.flip(np.take(masks, range(place, place + length), axis), axis)
        outside = np.take(masks, range(place - length - 1, place - 1), axis)
        assert (mirrored == outside).mean() > 0.8
    assert inner.shape == (6, 28, 22)


def test_a_move_shifts_by_its_share_of_the_side():
    images, labels = probes(1)
    moved, masks = run(affine(0, 0, 0.25), images, labels, middle(1, TRANSLATION_X=0.0, TRANSLATION_Y=1.0))
    np.testing.assert_array_equal(masks[:, :47, 13:], labels[:, 16:63, 1:36])
    np.testing.assert_array_equal(moved[:, :47, 13:], images[:, 16:63, 1:36])


@pytest.mark.parametrize(("draw", "turns"), [(0.1, 0), (0.3, 3), (0.5, 2), (0.9, 1)])
def test_quarter_turns_are_those_of_numpy_in_place(draw, turns):
    images, labels = probes(2, 48, 48)
    for part in (slice(None), slice(0, 32)):  # whole images, and crops in the first rows and columns
        expected = [np.rot90(array[:, part, part], turns, (1, 2)) for array in (images, labels)]
        found = images.copy(), labels.copy()
        for image, mask in zip(*found, strict=True):
            quarter_turn(image[part, part], mask[part, part], middle(1, TURN=draw)[0])
        for array, whole in zip(found, expected, strict=True):
            np.testing.assert_array_equal(array[:, part, part], whole)


def test_crops_are_parts_of_the_image_from_everywhere():
    rows = np.arange(64, dtype=np.uint8)[:, None].repeat(48, axis=1)
    starts = set()
    for draw in draws(300):
        image, mask = np.stack([rows] * 3, axis=-1), rows.copy()
        Crop((60, 16))(image, mask, draw)
        np.testing.assert_array_equal(mask[:60, :16], rows[mask[0, 0] :][:60, :16])
        np.testing.assert_array_equal(image[:60, :16, 1], mask[:60, :16])
        starts.add(int(mask[0, 0]))
    assert starts == set(range(5))


@pytest.mark.parametrize("operation", [lambda crop: crop, partial(affine, 0.3, 0, 0.0)], ids=["cut", "resampled"])
def test_crops_on_rare_classes_show_one_of_their_pixels(operation):
    shown = {0.0: 0, 1.0: 0}
    for share in shown:
        for draw in draws(60):
            labels = np.zeros((1, 64, 48), np.uint8)
            labels[0, 50:53, 4:7] = 1
            images = painted(labels)
            operation(Crop((16, 20), share, [2, 1]))(images[0], labels[0], draw)
            seen = labels[:, :16, :20]
            assert_aligned(images[:, :16, :20], seen)
            shown[share] += (seen == 1).any()
    assert shown[1.0] == 60 > 30 > shown[0.0]


def test_rare_classes_are_the_half_with_the_fewest_pixels():
    assert rare_classes([50, 20, 0, 30, 10]) == [4, 1]
    assert rare_classes([5, 5, 9]) == [0] and rare_classes([0, 3]) == [1]


def test_an_image_without_a_rare_class_has_no_rare_pixel():
    labels = probes()[1][0]
    assert rare_pixel(labels, [7, VOID - 1], draws(1)[0]) is None
    row, column = rare_pixel(labels, [7, 2], draws(1)[0])
    assert labels[row, column] == 2


@pytest.mark.parametrize("mirrors", [False, True])
def test_copy_paste_pastes_the_rarest_class_of_another_image_in_its_place(mirrors):
    train = Train()
    random = middle(6, PASTE=[0.0, 0.39, 0.4, 0.9, 0.1, 0.2], PASTE_CLASS=0.7, PASTE_FLIP=0.2)
    random[:, Draw.PASTE_IMAGE] = np.arange(6) / 6
    images, labels = probes()
    moved, masks = run(copy_paste(0.4, train, [2, 3], mirrors), images, labels, random)
    assert_aligned(moved, masks)
    shown = [index for index, mask in enumerate(train.labels) if (mask == 3).any()]
    for number in range(6):
        source = train.labels[shown[int(number * len(shown) / 6)]]
        pasted = (source[:, ::-1] if mirrors else source) == 3
        expected = labels[number] if number in (2, 3) else np.where(pasted, 3, labels[number])
        np.testing.assert_array_equal(masks[number], expected)


def test_void_labels_stay_void():
    labels = probes()[1]
    labels[:, 24:40, 16:32] = VOID
    moved, masks = run(affine(0, 90), painted(labels), labels, middle(ROTATION=1.0))
    assert (masks[:, 25:39, 17:31] == VOID).all()
    assert_aligned(moved, masks)


def test_zoom_magnifies_by_one_plus_scale():
    """Of a square of 10 pixels in the middle, a zoom by 1.5 makes one of 15."""
    labels = np.zeros((1, 61, 61), np.uint8)
    labels[0, 25:36, 25:36] = 1
    _, masks = run(affine(0.5, 0), painted(labels), labels, middle(1, SCALE=1.0))
    assert abs(np.sqrt((masks == 1).sum()) - 16.5) < 1


def test_rotation_turns_by_its_degrees_and_keeps_shape():
    """A quarter turn of a square image is that of NumPy, to one side or the other; on any image it is no shear."""
    images, labels = probes(height=48, width=48)
    for draw, turns in ((0.0, (1, 3)), (1.0, (1, 3))):
        moved, masks = run(affine(0, 90), images, labels, middle(ROTATION=draw))
        assert any((np.rot90(labels, k, (1, 2)) == masks).mean() > 0.99 for k in turns)
        assert_aligned(moved, masks)
    opposite = [run(affine(0, 90), images, labels, middle(ROTATION=draw))[1] for draw in (0.0, 1.0)]
    assert (np.rot90(opposite[0], 2, (1, 2)) == opposite[1]).mean() > 0.99


@pytest.mark.parametrize("scale", [0.0, 1.0], ids=["smaller", "larger"])
def test_shifts_keep_the_whole_image_or_the_whole_frame_in_view(scale):
    blocks = np.arange(20, dtype=np.uint8).reshape(5, 4)
    labels = np.repeat(np.kron(blocks, np.ones((10, 10), np.uint8))[None], 9, axis=0)
    grid = np.array([[x, y] for x in (0.0, 0.5, 0.999) for y in (0.0, 0.5, 0.999)], np.float32)
    random = middle(9, SCALE=scale, SHIFT_X=grid[:, 0], SHIFT_Y=grid[:, 1])
    _, masks = run(affine(0.4, 0), painted(labels), labels, random)
    assert len({mask.tobytes() for mask in masks}) == 9
    for mask in masks.astype(int):
        if scale:  # without a reflection, labels only rise
            assert (np.diff(mask, axis=0) >= 0).all() and (np.diff(mask, axis=1) >= 0).all()
        else:
            assert np.bincount(mask.ravel(), minlength=20).min() > 0.36 * 100 * 0.7


def signed(random, column):
    return (2 * random[:, column] - 1)[:, None, None, None].astype(np.float64)


def as_brightness(images, random, strength):
    return images + 255 * strength * signed(random, Draw.BRIGHTNESS)


def as_contrast(images, random, strength):
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (1 + strength * signed(random, Draw.CONTRAST))


def as_saturation(images, random, strength):
    grey = (images @ np.array([0.299, 0.587, 0.114]))[..., None]
    return grey + (images - grey) * (1 + strength * signed(random, Draw.SATURATION))


@pytest.mark.parametrize("strengths", [(0.2, 0, 0), (0, 0.3, 0), (0, 0, 0.9), (0.1, 0.3, 0.2), (1.0, 1.0, 1.0)])
def test_colours_match_a_plain_statement_and_labels_are_left_alone(strengths):
    images = np.random.default_rng(0).integers(0, 256, (6, 20, 30, 3), np.uint8)
    labels = probes(6, 20, 30)[1]
    moved, masks = run(color_jitter(*strengths), images, labels, draws())
    expected = images.astype(np.float64)
    for statement, strength in zip((as_brightness, as_contrast, as_saturation), strengths, strict=True):
        expected = statement(expected, draws(), strength)
    difference = np.abs(moved - np.clip(np.rint(expected), 0, 255))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.05
    np.testing.assert_array_equal(masks, labels)


def test_a_third_of_the_hues_turns_red_into_green():
    images, labels = probes()
    turned = [run(color_jitter(0, 0, 0, 120.0), images, labels, middle(HUE=draw))[0] for draw in (1.0, 0.0)]
    np.testing.assert_array_equal(turned[0], np.roll(images, 1, axis=-1))
    np.testing.assert_array_equal(turned[1], np.roll(images, -1, axis=-1))


def test_blur_keeps_the_mean_and_takes_detail():
    images, labels = probes()
    moved, masks = run(blur(3.0), images, labels, middle(BLUR=[0.0, 0.2, 0.4, 0.6, 0.8, 0.99]))
    detail = np.abs(np.diff(moved.astype(int), axis=1)).max(axis=(1, 2, 3))
    assert (np.diff(detail) < 0).all() and np.abs(moved.mean() - images.mean()) < 1
    np.testing.assert_array_equal(moved[0], images[0])
    np.testing.assert_array_equal(masks, labels)


def test_colours_stay_in_range():
    images, labels = probes()
    moved, _ = run(color_jitter(1.0, 0, 0), images, labels, middle(BRIGHTNESS=[0.0, 0.999, 0.501, 0.499, 0.25, 0.75]))
    assert not moved[0].any() and moved[1].min() > 250


def test_images_of_a_batch_are_changed_in_place():
    """Rows of a batch are views: what OpenCV writes must land in them, whatever their shape."""
    for height, width in ((16, 16), (17, 33), (64, 48)):
        images, labels = probes(2, 4 * height, 3 * width)
        operation = augmentation(ALL, labels.shape[1:])
        alone = run(operation, images[1:2], labels[1:2], draws(2)[1:2])
        operation(images[1], labels[1], draws(2)[1])
        np.testing.assert_array_equal(images[1], alone[0][0])
        np.testing.assert_array_equal(labels[1], alone[1][0])
