"""Two models on the same images: the difference of each metric, and whether it is more than chance.

The test and its intervals are those of `paired`, corrected for the number of metrics: if two models differ only by
chance, at most 1 table in 20 calls any metric better or worse.
"""

from typing import NamedTuple

import numpy as np

from maskline.comparison.paired import paired_difference
from maskline.errors import InputError
from maskline.metrics.bootstrap import headlines_and_ious
from maskline.metrics.scores import HEADLINES

CONFIDENCE = 0.95


class Result(NamedTuple):
    """One model's confusion matrix for each test image, and the properties that must agree in a comparison.

    Attributes:
        name: of the model, shown in messages.
        filenames: str [N].
        matrices: int64 [N, C, C], rows ground truth, columns prediction.
        classes: names of the C classes.
        test_split: SHA-256 of the test split's entry in the shards' manifest. Shards of another size have another one,
            so it must agree only where images are scored at the shards' size.
        resolution: 'model' if scored at the shards' size, 'native' if at each image's own size.
    """

    name: str
    filenames: np.ndarray
    matrices: np.ndarray
    classes: list[str]
    test_split: str
    resolution: str


class Difference(NamedTuple):
    """One metric of two models.

    Attributes:
        metric: its name.
        a: of model A.
        b: of model B.
        difference: B - A.
        low: lower end of the interval of the difference, NaN without a value, corrected for the number of metrics.
        high: upper end.
        p_value: of no difference, NaN without a value, corrected for the number of metrics.
        images: number of images on which the counts of the metric differ.
        verdict: 'better', 'worse', "can't tell" or 'the same', for B.
    """

    metric: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float
    images: int
    verdict: str


class Comparison(NamedTuple):
    """The differences of B from A, one row for each headline metric and for each class's IoU."""

    a: str
    b: str
    images: int
    resamples: int
    seed: int
    rows: list[Difference]


def compare(a: Result, b: Result, resamples: int, seed: int) -> Comparison:
    """Compare two models image by image.

    Args:
        a: result of one model.
        b: result of the other model, with its images in any order.
        resamples: number of random exchanges of the models; with fewer than 99 no difference can be significant.
        seed: of the exchanges; the same seed gives the same rows.

    Raises:
        InputError: the two have different classes, or were scored on different images, masks or sizes.
    """
    before, after = paired_matrices(a, b)
    values = [headlines_and_ious(matrices.sum(axis=0)) for matrices in (before, after)]
    names = [*HEADLINES, *(f"iou.{name}" for name in a.classes)]
    difference, low, high, p_value = paired_difference(before, after, headlines_and_ious, seed, resamples, CONFIDENCE)
    images = _differing(before, after)
    verdicts = map(_verdict, difference, p_value, images)
    columns = [column.tolist() for column in (*values, difference, low, high, p_value, images)]
    rows = [Difference(*row) for row in zip(names, *columns, verdicts, strict=True)]
    return Comparison(a.name, b.name, len(before), resamples, seed, rows)


def _differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return on how many images each metric's counts differ, int64 [5 + C]."""
    hits = np.diagonal(a != b, axis1=1, axis2=2)
    of_class = hits | (a.sum(axis=1) != b.sum(axis=1))
    anywhere = (a != b).any(axis=(1, 2)).sum()
    return np.concatenate([np.full(len(HEADLINES), anywhere), of_class.sum(axis=0)])


def _verdict(difference: float, p_value: float, images: int) -> str:
    if not images:
        return "the same"
    if p_value <= 1 - CONFIDENCE:
        return "better" if difference > 0 else "worse"
    return "can't tell"


def paired_matrices(a: Result, b: Result) -> tuple[np.ndarray, np.ndarray]:
    """Return both matrices [N, C, C] in the order of the file names.

    Raises:
        InputError: the two have different classes, or were scored on different images, masks or sizes.
    """
    if a.classes != b.classes:
        raise _refusal(a, b, "know different classes", f"{', '.join(a.classes)} and {', '.join(b.classes)}")
    only_a, only_b = np.setdiff1d(a.filenames, b.filenames), np.setdiff1d(b.filenames, a.filenames)
    if len(only_a) or len(only_b):
        raise _refusal(a, b, "were tested on different images", f"{_alone(a, only_a)} and {_alone(b, only_b)}")
    if a.resolution != b.resolution:
        raise _refusal(a, b, "were scored at different sizes", f"evaluate.resolution {a.resolution} and {b.resolution}")
    if a.resolution == "model" and a.test_split != b.test_split:
        raise _refusal(
            a, b, "were tested on different data", f"test splits {a.test_split[:12]} and {b.test_split[:12]}"
        )
    before, after = (result.matrices[np.argsort(result.filenames)] for result in (a, b))
    other = np.flatnonzero((before.sum(axis=2) != after.sum(axis=2)).any(axis=1))
    if len(other):
        first = np.sort(a.filenames)[other[0]]
        raise _refusal(
            a, b, "were tested on different masks", f"other true pixels in {len(other)} images, {first} among them"
        )
    return before, after


def _alone(result: Result, names: np.ndarray) -> str:
    more = f", {names[0]} among them" if len(names) else ""
    return f"{len(names)} images of {result.name} alone{more}"


def _refusal(a: Result, b: Result, reason: str, received: str) -> InputError:
    return InputError(
        f"{a.name} and {b.name} {reason}. Received: {received}; compare revisions that agree in dataset, preprocess "
        "and evaluate.resolution, and in seed where it draws the test split."
    )
