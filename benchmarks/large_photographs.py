"""The cost and the quality of preprocessing photographs of 12 megapixels.

Each is converted as by the preprocess stage, in this process: decoded, checked, resized to a training image and
serialized. Every second photograph has the noise of a sensor. The work is done as it is, at full size (no reduction
while decoding), and by a plain script with Pillow that checks nothing. The quality is that of the training image next
to the one that is decoded at full size; for comparison, that of another filter (BOX) and of a JPEG with quality 95.

    python benchmarks/large_photographs.py
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

from raw_data import encoded, source  # noqa: E402

from maskline.shards import decode  # noqa: E402
from maskline.shards.fitting import fitted_image  # noqa: E402
from maskline.shards.source_examples import SourceExample  # noqa: E402
from maskline.shards.tfrecord import Record  # noqa: E402
from maskline.shards.write.convert import Target, convert  # noqa: E402
from maskline.shards.write.shard_statistics import ShardStatistics  # noqa: E402

WIDTH, HEIGHT = 4000, 3000
BILINEAR = Image.Resampling.BILINEAR


class Photograph(NamedTuple):
    """A JPEG, and its mask as PNG."""

    image: bytes
    mask: bytes


Work = Callable[[Photograph, Target], bytes]


def photograph(seed: int) -> Photograph:
    """Return noise whose amplitude halves from each scale to the next finer one, and a mask of rings."""
    rng = np.random.default_rng(seed)
    pixels = np.full((HEIGHT, WIDTH, 3), 128, np.float32)
    for octave in range(1, 11):
        coarse = rng.integers(0, 256, (3 * 2**octave // 2, 4 * 2**octave // 2, 3), np.uint8)
        fine = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        pixels += (np.asarray(fine, np.float32) - 128) / 2 ** (octave - 1)
    if seed % 2:
        pixels += rng.normal(0, 6, pixels.shape).astype(np.float32)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    rings = (np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2) / 900).astype(np.uint8)
    return Photograph(encoded(pixels.clip(0, 255).astype(np.uint8), "jpeg", quality=90), encoded(rings))


def converted(photo: Photograph, target: Target) -> bytes:
    """Do what preprocess does with an example."""
    about = source()
    features = {about.image_feature: photo.image, about.mask_feature: photo.mask, "file_name": b"a.jpg"}
    example = SourceExample("train", Record("none", 0, 0), 0)
    counts = ShardStatistics(*np.zeros((2, len(about.classes)), np.int64))
    return convert(example, features, about, target, counts)


def at_full_size(photo: Photograph, target: Target) -> bytes:
    """Do the same without a reduction."""
    kept, decode.reduction = decode.reduction, lambda image, scaled: 1
    try:
        return converted(photo, target)
    finally:
        decode.reduction = kept


def plain(photo: Photograph, target: Target) -> bytes:
    """Decode and resize with Pillow, and nothing else."""
    size = target.size[::-1]
    image = Image.open(io.BytesIO(photo.image)).resize(size, BILINEAR)
    return image.tobytes() + Image.open(io.BytesIO(photo.mask)).resize(size, Image.Resampling.NEAREST).tobytes()


def mean_cost(work: Work, photos: Sequence[Photograph], target: Target, rounds: int) -> float:
    """Return the mean of the photographs' CPU milliseconds; each is the least of some rounds."""

    def milliseconds(photo: Photograph) -> float:
        begun = time.process_time()
        work(photo, target)
        return 1000 * (time.process_time() - begun)

    return statistics.mean(min(milliseconds(photo) for _ in range(rounds)) for photo in photos)


def psnr(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    return float(10 * np.log10(255**2 / np.mean((found.astype(float) - expected) ** 2)))


def quality(photo: Photograph, target: Target) -> tuple[float, float, float]:
    """Return the PSNR to the image decoded at full size: of the reduced one, of the filter BOX, and of JPEG."""
    whole = decode.decode_image(photo.image, "a").image
    expected = fitted_image(whole, target.size, "stretch")
    reduced = fitted_image(decode.decode_image(photo.image, "a", target.size).image, target.size, "stretch")
    boxed = np.asarray(whole.resize(target.size[::-1], Image.Resampling.BOX))
    stored = np.asarray(Image.open(io.BytesIO(encoded(expected, "jpeg", quality=95))))
    return psnr(reduced, expected), psnr(boxed, expected), psnr(stored, expected)


def main() -> None:
    """Print the costs and the qualities by size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    photos = [photograph(seed) for seed in range(options.photographs)]
    print(f"{len(photos)} JPEGs of {', '.join(f'{len(photo.image) / 1e6:.1f}' for photo in photos)} MB")
    print("| size | CPU ms an image | at full size | Pillow alone | PSNR, dB | of BOX | of JPEG |")
    print(f"|{'---|' * 7}")
    for side in (256, 512, 1024):
        target = Target(side, side, "raw")
        costs = [mean_cost(work, photos, target, options.rounds) for work in (converted, at_full_size, plain)]
        found = np.mean([quality(photo, target) for photo in photos], axis=0)
        print(f"| {side} | {' | '.join(f'{cost:.0f}' for cost in costs)} | {' | '.join(f'{q:.1f}' for q in found)} |")


if __name__ == "__main__":
    main()
