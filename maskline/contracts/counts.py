"""counts.npz: the counts of each test image, from which every figure is derived."""

import contextlib
import math
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from maskline.contracts.folders import EVALUATION
from maskline.files.artifacts import ZIP_EPOCH
from maskline.messages import one_line

PATH = EVALUATION / "counts.npz"

_BLOCK = 1 << 20  # bytes written at once


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


def zero_counts(filenames: Sequence[str], classes: int, distances: int, bins: int) -> Counts:
    """Return zeroed counts in memory, to fill."""
    layout = entries(classes, distances, bins)
    arrays = {name: np.zeros((len(filenames), *entry.shape), entry.dtype) for name, entry in layout.items()}
    return Counts(np.array(filenames), **arrays)


@contextlib.contextmanager
def new_counts(folder: Path, filenames: Sequence[str], classes: int, distances: int, bins: int) -> Iterator[Counts]:
    """Yield zeroed counts to fill, and pack them into `counts.npz` in `folder` at the end.

    The arrays are on disk, so that memory does not grow with the images.
    """
    layout = entries(classes, distances, bins)
    parts = {name: folder / f"{name}.npy" for name in layout}
    arrays = {
        name: _zeros_on_disk(path, (len(filenames), *layout[name].shape), layout[name].dtype)
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


def _zeros_on_disk(path: Path, shape: tuple[int, ...], dtype: str) -> np.memmap:
    """Write an .npy file of zeros and map it into memory.

    Every byte is written first: a hole that the disk has no room to fill would kill the process when it is assigned.
    """
    with open(path, "wb") as file:
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        left = math.prod(shape) * np.dtype(dtype).itemsize
        while left:
            left -= file.write(bytes(min(left, _BLOCK)))
    mapped: np.memmap = np.lib.format.open_memmap(path, "r+")
    return mapped


def read_matrices(file: BinaryIO, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read and check only `filenames` and `matrices`.

    Raises:
        ValueError: the file is not an archive of these arrays, or they are not of this many classes.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            filenames, matrices = _read_array(archive, "filenames"), _read_array(archive, "matrices")
    except Exception as error:  # a hostile file can make zipfile and NumPy raise anything
        raise ValueError(one_line(error)) from None
    if filenames.ndim != 1 or filenames.dtype.kind != "U":
        raise ValueError(f"filenames are {filenames.dtype} {list(filenames.shape)}, not a list of texts")
    shape = (len(filenames), classes, classes)
    if matrices.shape != shape or not matrices.size or not np.issubdtype(matrices.dtype, np.integer):
        raise ValueError(f"matrices are {matrices.dtype} {list(matrices.shape)}, not integers {list(shape)}")
    if matrices.min() < 0:
        raise ValueError("a count of pixels is negative")
    if len(np.unique(filenames)) != len(filenames):
        raise ValueError("a file name is listed twice")
    return filenames, matrices


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read an array as `new_counts` packs it. It is uncompressed, so it never takes more memory than the file."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    with archive.open(member) as file:
        if (version := np.lib.format.read_magic(file)) != (1, 0):
            raise ValueError(f"{name} is of the .npy version {version}, not (1, 0)")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        data = file.read()
    if dtype.hasobject or is_fortran or len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} does not hold {dtype} {list(shape)}")
    return np.frombuffer(data, dtype).reshape(shape)
