"""The regions of all images, kept on disk so that memory does not grow with the images, and the classes' thresholds."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from maskline.contracts.audit import HELD_OUT, HeldOut
from maskline.contracts.classes import VOID
from maskline.evaluation.suspects.regions import BINS, find_regions

_RECORD = np.dtype(
    [
        ("split", "<u1"),
        ("image", "<u4"),
        ("label", "<u1"),
        ("predicted", "<u1"),
        *((key, "<u4") for key in ("x", "y", "width", "height", "pixels", "image_height", "image_width")),
        ("confidence", "<u4", (BINS,)),
        ("ratio", "<f8"),
    ]
)
_KEPT = ("label", "predicted", "x", "y", "width", "height", "pixels", "image_height", "image_width")
_AT_ONCE = 4096  # records in memory


class Found(NamedTuple):
    """A region of an image; `position` is the image's in its split."""

    split: HeldOut
    position: int
    label: int
    predicted: int
    x: int
    y: int
    width: int
    height: int
    pixels: int
    image_height: int
    image_width: int
    confidence: float
    score: float


class Candidates(NamedTuple):
    """What a collection keeps of an image.

    Attributes:
        sums: float64 [C], the probabilities of each class, added over the pixels with that label.
        pixels: int64 [C], those pixels.
        regions: records [R], the regions in which prediction and label differ.
    """

    sums: np.ndarray
    pixels: np.ndarray
    regions: np.ndarray


def candidates(
    split: HeldOut,
    index: int,
    labels: np.ndarray,
    prediction: np.ndarray,
    confidence: np.ndarray,
    true_class: np.ndarray,
    classes: int,
) -> Candidates:
    """Return the candidates of an image.

    Args:
        split: of the image.
        index: position of the image in the split.
        labels: uint8 [H, W], void 255.
        prediction: as `find_regions` takes it, and so are `confidence` and `true_class`.
        classes: C.
    """
    valid = labels != VOID
    regions = find_regions(labels, prediction, confidence, true_class)
    records = np.zeros(len(regions), _RECORD)
    for record, region in zip(records, regions, strict=True):
        for key, value in region._asdict().items():
            record[key] = value
    records["split"], records["image"] = HELD_OUT.index(split), index
    records["image_height"], records["image_width"] = labels.shape
    return Candidates(
        np.bincount(labels[valid], true_class[valid], classes), np.bincount(labels[valid], minlength=classes), records
    )


class Collection:
    """Regions to check, of any number of images.

    Confident learning (Northcutt et al., JAIR 2021) calls a pixel confident if its probability is at least the mean of
    its class over the pixels with that label. A region's score is the root of the share of its image that is confident
    and inside the region, times the mean logarithm of how much more probable the predicted class is than the label.

    Args:
        file: an empty file to keep the regions in.
        classes: number of classes.
    """

    def __init__(self, file: BinaryIO, classes: int) -> None:
        self._file = file
        self._sums, self._pixels = np.zeros(classes), np.zeros(classes, np.int64)
        self.images = 0

    def keep(self, found: Candidates) -> None:
        """Add an image's candidates."""
        self._sums += found.sums
        self._pixels += found.pixels
        self.images += 1
        self._file.write(found.regions.tobytes())

    def thresholds(self) -> np.ndarray:
        """Return each class's mean probability where it is the label, float64 [C]; NaN: it is no pixel's label."""
        with np.errstate(invalid="ignore"):
            return self._sums / self._pixels

    def regions(self) -> Iterator[Found]:
        """Yield the regions that hold confident pixels, in the order in which their images were added."""
        thresholds = self.thresholds()
        self._file.seek(0)
        while data := self._file.read(_RECORD.itemsize * _AT_ONCE):
            for record in np.frombuffer(data, _RECORD):
                found = _found(record, thresholds)
                if found.score > 0:
                    yield found
        self._file.seek(0, 2)


@contextlib.contextmanager
def new_collection(folder: Path, classes: int) -> Iterator[Collection]:
    """Yield an empty collection whose regions are in a file of `folder`, which is gone at the end."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Collection(file, classes)


def _found(record: np.void, thresholds: np.ndarray) -> Found:
    bins = record["confidence"].astype(np.int64)
    middles = (np.arange(BINS) + 0.5) / BINS
    confident = int(bins[middles >= thresholds[record["predicted"]]].sum())
    size = int(record["image_height"]) * int(record["image_width"])
    return Found(
        split=HELD_OUT[record["split"]],
        position=int(record["image"]),
        **{key: int(record[key]) for key in _KEPT},
        confidence=round(float((bins * middles).sum() / bins.sum()), 6),
        score=round(float(np.sqrt(confident / size) * record["ratio"]), 6),
    )
