"""counts.npz: the counts of each test image, from which every figure is derived."""

import contextlib
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from maskline.contracts.folders import EVALUATION
from maskline.files.artifacts import ZIP_EPOCH

PATH = EVALUATION / "counts.npz"


class Counts(NamedTuple):
    """The arrays of counts.npz: N images, C classes, D distances to a border, K bins of confidence.

    Attributes:
        filenames: str [N].
        matrices: int64 [N, C, C], pixels by true and predicted class, without void pixels.
        void: int64 [N, C], predictions on void pixels, by class.
        boundary: int64 [N, C, 3], pixels near a class's contour in ground truth, in prediction, and in both.
        trimap: int64 [N, D, 2], valid pixels within each distance of a border, and how many of them are right.
        calibration: int64 [N, K, 2], pixels by confidence, and how many of them are right.
        confidence: float64 [N, K], the sum of those pixels' confidences.
        uncertainty: float64 [N], mean over the image, 0 to 1.
    """

    filenames: np.ndarray
    matrices: np.ndarray
    void: np.ndarray
    boundary: np.ndarray
    trimap: np.ndarray
    calibration: np.ndarray
    confidence: np.ndarray
    uncertainty: np.ndarray


class Entry(NamedTuple):
    """Shape and dtype of one image's part of an array."""

    shape: tuple[int, ...]
    dtype: str


def entries(classes: int, distances: int, bins: int) -> dict[str, Entry]:
    """Return the entry of each array but `filenames`, in the order of `Counts`."""
    return {
        "matrices": Entry((classes, classes), "<i8"),
        "void": Entry((classes,), "<i8"),
        "boundary": Entry((classes, 3), "<i8"),
        "trimap": Entry((distances, 2), "<i8"),
        "calibration": Entry((bins, 2), "<i8"),
        "confidence": Entry((bins,), "<f8"),
        "uncertainty": Entry((), "<f8"),
    }


@contextlib.contextmanager
def new_counts(folder: Path, filenames: Sequence[str], classes: int, distances: int, bins: int) -> Iterator[Counts]:
    """Yield zeroed counts to fill, and pack them into `counts.npz` in `folder` at the end.

    The arrays are on disk, so that memory does not grow with the images.
    """
    layout = entries(classes, distances, bins)
    parts = {name: folder / f"{name}.npy" for name in layout}
    arrays = {
        name: np.lib.format.open_memmap(path, "w+", layout[name].dtype, (len(filenames), *layout[name].shape))
        for name, path in parts.items()
    }
    yield Counts(np.array(filenames), **arrays)
    with zipfile.ZipFile(folder / PATH.name, "w") as archive:
        with archive.open(zipfile.ZipInfo("filenames.npy", ZIP_EPOCH), "w") as target:
            np.lib.format.write_array(target, np.array(filenames), allow_pickle=False)
        for name, path in parts.items():
            arrays[name].flush()
            with open(path, "rb") as source, archive.open(zipfile.ZipInfo(path.name, ZIP_EPOCH), "w") as target:
                shutil.copyfileobj(source, target)
            path.unlink()


def read_matrices(file: BinaryIO, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read and check only `filenames` and `matrices`.

    Raises:
        ValueError: the file is not an archive of these arrays, or they are not of this many classes.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            filenames, matrices = arrays["filenames"], arrays["matrices"]
    except (KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from None
    shape = (len(filenames), classes, classes)
    if matrices.shape != shape or not matrices.size or not np.issubdtype(matrices.dtype, np.integer):
        raise ValueError(f"matrices are {matrices.dtype} {list(matrices.shape)}, not integers {list(shape)}")
    if len(np.unique(filenames)) != len(filenames):
        raise ValueError("a file name is listed twice")
    return filenames, matrices
