"""Run the train stage, but fill what lies outside of a zoomed or rotated image with black or its mean color, and void.

Batches are made in threads, as on a CPU. In a folder that has the stage's inputs, as `augmentations.py` makes it:

    python benchmarks/outside.py black
"""

import os
import runpy
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "stages")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from maskline.contracts.classes import VOID  # noqa: E402
from maskline.contracts.fit import Size  # noqa: E402
from maskline.shards.read import batches, views  # noqa: E402

COLORS = ("black", "mean")


def resample(color: str, image: np.ndarray, labels: np.ndarray, transform: np.ndarray, seen: Size) -> None:
    """Resample as `views` does, but fill what lies outside with a color, and with void."""
    outside = cv2.mean(image) if color == "mean" else (0.0, 0.0, 0.0, 0.0)
    moved = cv2.warpAffine(image, transform, seen[::-1], flags=views._LINEAR, borderValue=outside)
    masks = cv2.warpAffine(labels, transform, seen[::-1], flags=views._NEAREST, borderValue=float(VOID))
    image[: seen[0], : seen[1]], labels[: seen[0], : seen[1]] = moved, masks


if __name__ == "__main__":
    if sys.argv[1:] not in ([color] for color in COLORS):
        sys.exit(f"outside.py takes one of {', '.join(COLORS)}. Received: {' '.join(sys.argv[1:])!r}")
    batches._processes = lambda shape: 0  # processes would not have the next line
    views._resample = partial(resample, sys.argv.pop())
    runpy.run_path(str(ROOT / "stages/train.py"), run_name="__main__")
