"""Labels of an image of any size: written to disk band by band, and read through a memory map."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np


def mapped_labels(bands: Iterable[np.ndarray], height: int, width: int, folder: Path) -> np.ndarray:
    """Return all bands of labels as one memory-mapped array, uint8 [height, width], read-only.

    Its file has no name, so that the system removes it when it is no longer used, even after a kill. It is complete
    before it is mapped, so that a full disk is an error instead of the end of the process.

    Args:
        bands: uint8 [rows, width], from the top.
        height: of all bands together.
        width: of each band.
        folder: in which the file takes its space.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for band in bands:
                file.write(np.ascontiguousarray(band).data)
            file.flush()
            return np.memmap(file, np.uint8, "r", shape=(height, width))
    except OSError as error:
        error.filename = error.filename or os.fspath(folder)
        raise
