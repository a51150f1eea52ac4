"""Labels to check: what is found, what is not, the order, and the boxes in the original images."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.contracts.audit import HeldOut
from maskline.contracts.classes import VOID
from maskline.contracts.model_info import Preprocessing
from maskline.contracts.suspects import MOST, SuspectRegion
from maskline.evaluation.suspects.boxes import original_box
from maskline.evaluation.suspects.collection import Collection, Found, candidates, new_collection
from maskline.evaluation.suspects.ranking import ranked
from maskline.evaluation.suspects.regions import BINS, find_regions
from maskline.evaluation.suspects.tables import image_rows, region_rows
from maskline.files.records import read_table, write_table
from maskline.shards.fitting import fitted_labels

CLASSES = 4
FITS = ("stretch", "pad", "crop")

Image = tuple[np.ndarray, np.ndarray, np.ndarray]  # labels, prediction, confidence


def scene(seed: int, height: int = 40, width: int = 48) -> np.ndarray:
    """Return labels of a rectangle of each class above 0 on class 0, with a void line; uint8 [H, W]."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    for label in range(1, CLASSES):
        top, left = rng.integers(0, height - 14), rng.integers(0, width - 14)
        labels[top : top + 14, left : left + 14] = label
    labels[height // 2, : width // 3] = VOID
    return labels


def predicted(truth: np.ndarray, seed: int = 0) -> Image:
    """Return the truth as labels and as their own prediction, sure by 0.8 to 1."""
    prediction = np.where(truth == VOID, 0, truth).astype(np.uint8)
    confidence = np.random.default_rng(seed).uniform(0.8, 1.0, truth.shape).astype(np.float32)
    return truth.copy(), prediction, confidence


def noisy(seed: int) -> Image:
    """Return an image whose labels differ from the prediction in some rectangles and pixels."""
    rng = np.random.default_rng(seed)
    labels, prediction, confidence = predicted(scene(seed), seed)
    for _ in range(rng.integers(0, 5)):
        top, left, height, width = *rng.integers(0, 36, 2), *rng.integers(1, 14, 2)
        part = np.s_[top : top + height, left : left + width]
        labels[part] = np.where(labels[part] == VOID, VOID, rng.integers(0, CLASSES))
        confidence[part] = rng.uniform(0.3, 1.0)
    scattered = rng.random(labels.shape) < 0.02
    labels[scattered & (labels != VOID)] = rng.integers(0, CLASSES)
    return labels, prediction, confidence


def true_class(labels: np.ndarray, prediction: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return the probabilities of the labels: what the predicted class leaves, in equal parts."""
    return np.where(labels == prediction, confidence, (1 - confidence) / (CLASSES - 1)).astype(np.float32)


def add(collection: Collection, split: HeldOut, position: int, image: Image) -> None:
    collection.keep(candidates(split, position, *image, true_class(*image), CLASSES))


def collected(images: Sequence[Image], classes: int = CLASSES) -> Collection:
    collection = Collection(io.BytesIO(), classes)
    for position, image in enumerate(images):
        add(collection, "test", position, image)
    return collection


def regions_of(images: Sequence[Image]) -> list[Found]:
    names = [f"{number:03d}.png" for number in range(len(images))]
    return ranked(collected(images).regions(), {"test": names})[0]


def test_a_planted_wrong_region_is_first():
    images = [predicted(scene(seed), seed) for seed in range(12)]
    labels, _, confidence = images[7]
    labels[5:25, 10:34], confidence[5:25, 10:34] = 3, 0.99
    found = regions_of(images)
    assert (found[0].position, found[0].label) == (7, 3)
    assert found[0].y >= 5 and found[0].y + found[0].height <= 25
    assert found[0].x >= 10 and found[0].x + found[0].width <= 34
    assert {region.position for region in found} == {7}


def test_a_perfect_model_finds_nothing():
    assert regions_of([predicted(scene(seed), seed) for seed in range(5)]) == []


def test_void_is_never_suspect():
    images = [noisy(seed) for seed in range(20)]
    void = [(np.full_like(labels, VOID), *rest) for labels, *rest in images]
    assert regions_of(void) == []
    for labels, *_ in images:
        labels[:, 20:] = VOID
    assert all(region.x + region.width <= 20 for region in regions_of(images))


@pytest.mark.parametrize("width", [1, 2])
def test_a_line_along_a_border_is_no_region_and_a_wider_one_is(width):
    labels, prediction, confidence = predicted(np.zeros((60, 60), np.uint8))
    prediction[20:40, 20:40] = 1
    labels[20 - width : 40 + width, 20 - width : 40 + width] = 1
    assert find_regions(labels, prediction, confidence, true_class(labels, prediction, confidence)) == []
    labels[17:43, 17:43] = 1
    assert find_regions(labels, prediction, confidence, true_class(labels, prediction, confidence))


def test_an_unsure_model_makes_no_suspects():
    images = [predicted(scene(seed), seed) for seed in range(4)]
    images[2][0][5:25, 10:34] = 3
    images[2][2][5:25, 10:34] = 0.6
    assert regions_of(images) == []


def test_regions_are_those_of_a_plain_search():
    """The oracle opens, labels and counts each pair by its definition."""
    for seed in range(30):
        labels, prediction, confidence = noisy(seed)
        regions = find_regions(labels, prediction, confidence, true_class(labels, prediction, confidence))
        found = {tuple(map(int, region[:7])): region.confidence for region in regions}
        wanted = plain_regions(labels, prediction, confidence)
        assert found.keys() == wanted.keys()
        for key, bins in wanted.items():
            np.testing.assert_array_equal(found[key], bins)


def plain_regions(labels: np.ndarray, prediction: np.ndarray, confidence: np.ndarray) -> dict:
    wanted = {}
    height, width = labels.shape
    for label in range(CLASSES):
        for other in set(range(CLASSES)) - {label}:
            pair = np.pad((labels == label) & (prediction == other), 1, constant_values=True)
            shifts = [pair[i : i + height, j : j + width] for i in range(3) for j in range(3)]
            core = np.logical_and.reduce(shifts) & pair[1:-1, 1:-1]
            grown = np.pad(core, 1)
            opened = np.logical_or.reduce([grown[i : i + height, j : j + width] for i in range(3) for j in range(3)])
            for part in islands(opened):
                rows, columns = np.nonzero(part)
                bins = np.bincount((confidence[part & core] * BINS).astype(int).clip(max=BINS - 1), minlength=BINS)
                top, left = rows.min(), columns.min()
                size = (columns.max() - left + 1, rows.max() - top + 1, part.sum())
                wanted[tuple(map(int, (label, other, left, top, *size)))] = bins
    return wanted


def islands(mask: np.ndarray):
    """Yield the parts of a mask that hang together by sides or corners, found by flooding."""
    left = set(zip(*map(np.ndarray.tolist, np.nonzero(mask)), strict=True))
    while left:
        part, waiting = np.zeros_like(mask), [left.pop()]
        while waiting:
            row, column = waiting.pop()
            part[row, column] = True
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            waiting += near
        yield part


def test_scores_are_by_the_share_that_is_sure_and_the_ratio_of_probabilities():
    images = [noisy(seed) for seed in range(12)]
    labels, given = np.stack([image[0] for image in images]), np.stack([true_class(*image) for image in images])
    means = [given[labels == label].mean(dtype=np.float64) for label in range(CLASSES)]
    np.testing.assert_allclose(collected(images).thresholds(), means)
    middles = (np.arange(BINS) + 0.5) / BINS
    wanted = sorted(
        (
            score_of(region, int(region.confidence[middles >= means[region.predicted]].sum()), image[0].size)
            for image in images
            for region in find_regions(*image, true_class(*image))
        ),
        reverse=True,
    )
    assert [region.score for region in regions_of(images)] == [score for score in wanted if score > 0]


def score_of(region, confident: int, size: int) -> float:
    return round(float(np.sqrt(confident / size) * region.ratio), 6)


@given(st.permutations(range(CLASSES)), st.integers(0, 1000))
def test_other_numbers_of_the_classes_give_the_same_regions(order, seed):
    images = [noisy(seed + number) for number in range(4)]
    table = np.full(256, VOID, np.uint8)
    table[:CLASSES] = order
    turned = [(table[labels], table[prediction], confidence) for labels, prediction, confidence in images]
    wanted = [
        region._replace(label=order[region.label], predicted=order[region.predicted]) for region in regions_of(images)
    ]
    assert regions_of(turned) == wanted


@given(st.permutations(range(6)))
def test_the_order_in_which_images_come_does_not_matter(order):
    images = [noisy(seed // 2) for seed in range(6)]  # equal pairs, so that names decide
    collection = Collection(io.BytesIO(), CLASSES)
    for position in order:
        add(collection, "test", position, images[position])
    names = {"test": [f"{position}.png" for position in range(6)]}
    again = ranked(collection.regions(), names), ranked(collected(images).regions(), names)
    places = [
        [(region.position, region.x, region.y, region.label, region.predicted) for region in regions]
        for regions, _ in again
    ]
    assert places[0] == places[1]
    assert [image.position for image in again[0][1]] == [image.position for image in again[1][1]]


def test_memory_does_not_grow_with_the_images_and_the_file_is_gone(tmp_path):
    with new_collection(tmp_path, CLASSES) as collection:
        for position in range(300):
            add(collection, "validation", position, noisy(position % 10))
        regions, images = ranked(collection.regions(), {"validation": [f"{n}.png" for n in range(300)]}, most=20)
        assert collection.images == 300
    assert len(regions) == len(images) == 20
    assert not list(tmp_path.iterdir())


def test_tables_have_a_row_for_each_and_a_header_without_any(tmp_path):
    images = [noisy(seed) for seed in range(12)]
    names = {"test": [f"{number:03d}.png" for number in range(12)]}
    regions, found = ranked(collected(images).regions(), names)
    sizes = {"test": dict.fromkeys(names["test"], (40, 48))}
    rows = region_rows(regions, names, sizes, None, ["a", "b", "c", "d"])
    write_table(tmp_path / "rows.csv", rows, SuspectRegion)
    assert read_table(tmp_path / "rows.csv", SuspectRegion) == rows
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1)) and len(rows) <= MOST
    of_images = image_rows(found, names)
    for row in of_images:
        assert row.score == pytest.approx(sum(r.score for r in rows if r.filename == row.filename), abs=1e-5)
    write_table(tmp_path / "none.csv", [], SuspectRegion)
    header = (tmp_path / "none.csv").read_text()
    assert header == (tmp_path / "rows.csv").read_text().splitlines()[0] + "\n"


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(90, 120), (120, 80), (64, 64)])
def test_boxes_are_in_the_pixels_of_the_original(fit, shape):
    """A rectangle of the original that is labeled wrong comes back as its box, to the pixels that opening takes."""
    size = (64, 96)
    truth = np.zeros(shape, np.uint8)
    wrong = truth.copy()
    top, left, height, width = shape[0] // 3, shape[1] // 3, shape[0] // 4, shape[1] // 3
    wrong[top : top + height, left : left + width] = 1
    labels, prediction = fitted_labels(wrong, size, fit), fitted_labels(truth, size, fit)
    rows, columns = (np.flatnonzero((labels != VOID).any(axis=axis)) for axis in (1, 0))
    content = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    confidence = np.full(size, 0.9, np.float32)
    (found,) = regions_of([(labels[content], prediction[content], confidence[content])])
    box = original_box(found, shape, Preprocessing(height=size[0], width=size[1], fit=fit))
    scale = max(1.0, shape[0] / size[0], shape[1] / size[1])
    np.testing.assert_allclose(box, (left, top, width, height), atol=2 * scale + 1)
    assert box.x >= 0 and box.y >= 0 and box.x + box.width <= shape[1] and box.y + box.height <= shape[0]


def test_boxes_of_originals_are_their_own():
    labels, prediction, confidence = predicted(scene(1))
    labels[4:20, 6:30] = (prediction[4:20, 6:30] + 1) % CLASSES
    for region in regions_of([(labels, prediction, confidence)]):
        box = original_box(region, labels.shape, None)
        part = np.s_[box.y : box.y + box.height, box.x : box.x + box.width]
        assert ((labels[part] == region.label) & (prediction[part] == region.predicted)).any()


def test_the_largest_regions_of_an_image_are_kept():
    labels, prediction, confidence = predicted(np.zeros((120, 120), np.uint8))
    squares = [(row, column) for row in range(0, 120, 12) for column in range(0, 120, 12)]
    for number, (row, column) in enumerate(squares):
        side = 4 + number % 7
        cv2.rectangle(labels, (column, row), (column + side, row + side), 1, -1)
    found = find_regions(labels, prediction, confidence, true_class(labels, prediction, confidence))
    assert len(found) == 32
    assert min(region.pixels for region in found) >= 81


def test_a_large_region_is_kept_next_to_many_small_ones_of_other_pairs():
    labels, prediction, confidence = predicted(np.zeros((200, 200), np.uint8))
    squares = [(row, column) for row in range(0, 195, 6) for column in range(0, 195, 6)]
    for number, (row, column) in enumerate(squares):
        prediction[row : row + 4, column : column + 4] = 1 + number % 40
    prediction[90:104, 90:104], prediction[91:103, 91:103] = 0, 41
    found = find_regions(labels, prediction, confidence, 1 - confidence)
    assert len(found) == 32
    assert (found[0].predicted, found[0].pixels, found[0].confidence.sum()) == (41, 144, 100)
