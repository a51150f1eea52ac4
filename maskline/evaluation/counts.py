"""The counts of each test image, from which every figure is derived: arrays on disk, so that memory stays flat."""

import contextlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskline.files.artifacts import ZIP_EPOCH

NAME = "counts.npz"


class ArraySpec(NamedTuple):
    """Shape of one image's entry, and dtype."""

    shape: tuple[int, ...]
    dtype: str


def layout(classes: int, distances: int, bins: int) -> dict[str, ArraySpec]:
    """Return what is counted of each image.

    - matrices: pixels by true and predicted class; void pixels never count;
    - void: predictions on void pixels, by class;
    - boundary: near a class's contour in truth, in prediction, and in both;
    - trimap: valid pixels within each distance of a border, and how many of them are right;
    - calibration: pixels by confidence, and how many of them are right;
    - confidence: the sum of those pixels' confidences;
    - uncertainty: mean over the image, 0 to 1.
    """
    return {
        "matrices": ArraySpec((classes, classes), "<i8"),
        "void": ArraySpec((classes,), "<i8"),
        "boundary": ArraySpec((classes, 3), "<i8"),
        "trimap": ArraySpec((distances, 2), "<i8"),
        "calibration": ArraySpec((bins, 2), "<i8"),
        "confidence": ArraySpec((bins,), "<f8"),
        "uncertainty": ArraySpec((), "<f8"),
    }


@contextlib.contextmanager
def new_counts(folder: Path, names: list[str], layout: Mapping[str, ArraySpec]) -> Iterator[dict[str, np.ndarray]]:
    """Yield zeroed arrays [N, ...] to fill, and pack them with `filenames` into `counts.npz` in `folder`."""
    parts = {name: Path(folder) / f"{name}.npy" for name in layout}
    arrays = {
        name: np.lib.format.open_memmap(path, "w+", layout[name].dtype, (len(names), *layout[name].shape))
        for name, path in parts.items()
    }
    yield arrays
    with zipfile.ZipFile(Path(folder) / NAME, "w") as archive:
        with archive.open(zipfile.ZipInfo("filenames.npy", ZIP_EPOCH), "w") as target:
            np.lib.format.write_array(target, np.array(names), allow_pickle=False)
        for name, path in parts.items():
            arrays[name].flush()
            with open(path, "rb") as source, archive.open(zipfile.ZipInfo(path.name, ZIP_EPOCH), "w") as target:
                shutil.copyfileobj(source, target)
            path.unlink()
