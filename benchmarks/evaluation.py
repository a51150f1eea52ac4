"""The speed of evaluation compared with `model.predict` on the same batches, and its memory for more data.

`predict` computes logits. Evaluation also computes probabilities, labels, uncertainty and all counts of each image.
Both are warmed up and take turns. Peak memory is measured in one process, after evaluating the images once and again
after several times as many images, and must not grow:

    python benchmarks/evaluation.py --shards data/shards --model data/model/model.keras
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


from maskline.contracts.counts import new_counts  # noqa: E402
from maskline.contracts.fit import Part  # noqa: E402
from maskline.contracts.manifest import read_manifest  # noqa: E402
from maskline.contracts.model_info import Preprocessing  # noqa: E402
from maskline.evaluation.counting import count_split  # noqa: E402
from maskline.evaluation.predicted_split import PredictedSplit  # noqa: E402
from maskline.metrics.boundary import TRIMAP_DISTANCES  # noqa: E402
from maskline.metrics.calibration import BINS  # noqa: E402
from maskline.models.files import load_model  # noqa: E402
from maskline.prediction.inference import Inference, predictor  # noqa: E402
from maskline.prediction.runtimes.keras import KerasRuntime  # noqa: E402
from maskline.shards.read.batches import ordered_batches  # noqa: E402
from maskline.shards.read.reader import ShardReader  # noqa: E402


class Repeated(ShardReader):
    """A split that repeats its images several times."""

    def __init__(self, reader: ShardReader, times: int) -> None:
        self._reader, self.size, self.names = reader, reader.size, reader.names * times

    def content(self, index: int) -> Part:
        """Return what of an image is not padding."""
        return self._reader.content(index % len(self._reader))

    def read(self, indices: range, *empty: Callable) -> tuple:
        """Read images and labels."""
        return self._reader.read([index % len(self._reader) for index in indices], *empty)


def seconds(work: Callable[[], None]) -> float:
    """Return the wall time of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def peak_mib() -> float:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the images per second of both, their ratio over the rounds, and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, required=True, help="folder of shards and manifest")
    parser.add_argument("--model", type=Path, required=True, help=".keras file")
    parser.add_argument("--batch_size", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--times", type=int, default=10, help="how often the data is repeated; default: %(default)s")
    options = parser.parse_args()
    manifest, model = read_manifest(options.shards), load_model(options.model)
    made = Preprocessing(height=manifest.height, width=manifest.width, fit=manifest.fit)
    reader = ShardReader(options.shards, manifest, "test")
    sizes = (len(manifest.classes), len(TRIMAP_DISTANCES), BINS)
    predict = predictor(KerasRuntime(model), Inference())

    def evaluated(split: ShardReader) -> None:
        with tempfile.TemporaryDirectory() as folder, new_counts(Path(folder), split.names, *sizes) as counts:
            count_split(PredictedSplit(split, made, None, False, predict, None), options.batch_size, counts)

    images = ordered_batches(reader, options.batch_size).map(lambda image, _: image)
    evaluated(reader)
    once = peak_mib()
    evaluated(Repeated(reader, options.times))
    print(
        f"peak memory: {once:.0f} MiB for {len(reader)} images, {peak_mib():.0f} MiB for {options.times} times as many"
    )
    model.predict(images, verbose=0)
    pairs = [
        (seconds(lambda: model.predict(images, verbose=0)), seconds(lambda: evaluated(reader)))
        for _ in range(options.rounds)
    ]
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    print(f"model.predict {len(reader) / bare:.1f} images/s, evaluation {len(reader) / ours:.1f} images/s")
    print(
        f"ratio: median {statistics.median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f} over {len(ratios)} rounds"
    )


if __name__ == "__main__":
    main()
