"""Two models on the same images: the difference of each metric, and whether it is more than chance; free of TensorFlow.

The test and its intervals are those of `paired`. They cover all metrics together: of tables that compare models
which differ by chance alone, at most 1 in 20 calls any metric better or worse.
"""

from typing import NamedTuple

import numpy as np

from maskline.comparison.paired import paired_difference
from maskline.errors import InputError
from maskline.metrics.bootstrap import headlines_and_ious
from maskline.metrics.scores import HEADLINES

CONFIDENCE = 0.95


class Result(NamedTuple):
    """One model's confusion matrix of each test image, and what two results must share to be compared.

    Attributes:
        name: of the model, for messages.
        filenames: str [N].
        matrices: int64 [N, C, C], rows truth, columns prediction.
        classes: the C names.
        test_split: SHA-256 of what the shards' manifest says of the test split.
        resolution: scored at the shards' size, or at each image's own.
    """

    name: str
    filenames: np.ndarray
    matrices: np.ndarray
    classes: list[str]
    test_split: str
    resolution: str


class Difference(NamedTuple):
    """One metric of A and B, B - A with its interval and p-value (NaN: no value), images that differ, and a verdict.

    Interval and p-value are corrected for the number of metrics.
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
    """How B differs from A on a number of images, one row for each headline metric and each class's IoU."""

    a: str
    b: str
    images: int
    resamples: int
    seed: int
    rows: list[Difference]


def compare(a: Result, b: Result, resamples: int, seed: int) -> Comparison:
    """Compare two models image by image.

    Args:
        a: of the one model.
        b: of the other, in any order of images.
        resamples: random exchanges of the models; at least 99, or no difference can be significant.
        seed: of the exchanges; the same seed gives the same rows.

    Raises:
        InputError: the two have different classes, or were scored on different images, masks or sizes.
    """
    before, after = _paired(a, b)
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


def _paired(a: Result, b: Result) -> tuple[np.ndarray, np.ndarray]:
    """Return both matrices [N, C, C] in the order of the file names."""
    if a.classes != b.classes:
        raise _refusal(a, b, "know different classes", f"{', '.join(a.classes)} and {', '.join(b.classes)}")
    only_a, only_b = np.setdiff1d(a.filenames, b.filenames), np.setdiff1d(b.filenames, a.filenames)
    if len(only_a) or len(only_b):
        raise _refusal(a, b, "were tested on different images", f"{_alone(a, only_a)} and {_alone(b, only_b)}")
    if a.resolution != b.resolution:
        raise _refusal(a, b, "were scored at different sizes", f"evaluate.resolution {a.resolution} and {b.resolution}")
    if a.test_split != b.test_split:
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
