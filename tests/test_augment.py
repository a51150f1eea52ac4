from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from raw_data import PALETTE, painted

from maskline.params.augment import AugmentParams
from maskline.shards.read.augment import DRAWS, affine, augmentation, color_jitter, flip

VOID = 255
NONE = AugmentParams(flip=False, scale=0, rotation=0, brightness=0, contrast=0, saturation=0)
STRENGTHS = {"flip": True, "scale": 0.4, "rotation": 30, "brightness": 0.3, "contrast": 0.4, "saturation": 0.5}
ALL = NONE.model_copy(update=STRENGTHS)
FLIP, SCALE, ROTATION, SHIFT_X, SHIFT_Y, BRIGHTNESS, CONTRAST, SATURATION = range(DRAWS)


def probes(count=6, height=64, width=48):
    """Return images whose colours say their labels, and the labels: blocks wide enough to have an inside."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 4, (count, 4, 3), np.uint8), np.ones((1, height // 4, width // 3), np.uint8))
    return painted(labels), labels


def draws(count=6, seed=1):
    return np.random.default_rng(seed).random((count, DRAWS), np.float32)


def middle(count=6, **changes):
    """Return draws that change nothing, but for the columns named."""
    made = np.full((count, DRAWS), 0.5, np.float32)
    for name, value in changes.items():
        made[:, globals()[name]] = value
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
    [flip, affine(0.5, 0), affine(0, 45), affine(0.4, 180), affine(0.85, 10)],
    ids=["flip", "scale", "rotation", "both", "strong"],
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
    moved, masks = run(
        augmentation(ALL.model_copy(update={"brightness": 0, "contrast": 0, "saturation": 0})), images, labels, draws()
    )
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
    images, labels = probes()
    random = draws()
    random[:, FLIP] = [0.1, 0.9] * 3
    moved, masks = run(augmentation(NONE.model_copy(update={name: STRENGTHS[name]})), images, labels, random)
    assert moved.dtype == np.uint8 and (moved != images).any()
    assert (masks != labels).any() == (name in ("flip", "scale", "rotation"))


@pytest.mark.parametrize("name", ["scale", "rotation", "brightness", "contrast", "saturation"])
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


def test_outside_the_frame_is_black_and_void():
    images, labels = probes(height=60, width=48)
    moved, masks = run(affine(0.5, 0), images, labels, middle(SCALE=0.0))
    outside = np.ones((60, 48), bool)
    outside[14:46, 11:37] = False
    assert (masks[:, outside] == VOID).all() and (moved[:, outside] == 0).all()
    assert (masks[:, 16:44, 13:35] != VOID).all() and outside.mean() > 0.7


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
    labels = np.ones((9, 50, 40), np.uint8)
    grid = np.array([[x, y] for x in (0.0, 0.5, 0.999) for y in (0.0, 0.5, 0.999)], np.float32)
    random = middle(9, SCALE=scale, SHIFT_X=grid[:, 0], SHIFT_Y=grid[:, 1])
    _, masks = run(affine(0.4, 0), painted(labels), labels, random)
    seen = (masks == 1).sum(axis=(1, 2))
    if scale:
        assert (seen == 50 * 40).all()
    else:
        assert np.abs(seen / (0.36 * 50 * 40) - 1).max() < 0.1
        assert len({mask.tobytes() for mask in masks}) == 9


def signed(random, column):
    return (2 * random[:, column] - 1)[:, None, None, None].astype(np.float64)


def as_brightness(images, random, strength):
    return images + 255 * strength * signed(random, BRIGHTNESS)


def as_contrast(images, random, strength):
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (1 + strength * signed(random, CONTRAST))


def as_saturation(images, random, strength):
    grey = (images @ np.array([0.299, 0.587, 0.114]))[..., None]
    return grey + (images - grey) * (1 + strength * signed(random, SATURATION))


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


def test_colours_stay_in_range():
    images, labels = probes()
    moved, _ = run(color_jitter(1.0, 0, 0), images, labels, middle(BRIGHTNESS=[0.0, 0.999, 0.501, 0.499, 0.25, 0.75]))
    assert not moved[0].any() and moved[1].min() > 250


def test_images_of_a_batch_are_changed_in_place():
    """Rows of a batch are views: what OpenCV writes must land in them, whatever their shape."""
    for height, width in ((16, 16), (17, 33), (64, 48)):
        images, labels = probes(2, 4 * height, 3 * width)
        alone = run(augmentation(ALL), images[1:2], labels[1:2], draws(2)[1:2])
        augmentation(ALL)(images[1], labels[1], draws(2)[1])
        np.testing.assert_array_equal(images[1], alone[0][0])
        np.testing.assert_array_equal(labels[1], alone[1][0])
