"""Synthetic photographs for benchmarks: JPEG files with the detail at all scales that photographs have."""

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 640, 480


def write_photographs(folder: Path, count: int) -> None:
    """Write `count` photographs of 640x480 pixels, of about 60 kB each."""
    folder.mkdir(parents=True)
    for number in range(count):
        image = photograph(np.random.default_rng(number))
        Image.fromarray(image).save(folder / f"{number:05d}.jpg", quality=90)


def photograph(rng: np.random.Generator) -> np.ndarray:
    """Return noise uint8 [480, 640, 3] whose amplitude halves from each scale to the next finer one."""
    pixels = np.full((HEIGHT, WIDTH, 3), 128.0)
    for octave in range(1, 8):
        coarse = rng.integers(0, 256, (3 * 2**octave // 2, 4 * 2**octave // 2, 3), np.uint8)
        fine = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        pixels += (np.asarray(fine) - 128.0) / 2 ** (octave - 1)
    return pixels.clip(0, 255).astype(np.uint8)
