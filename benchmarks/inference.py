"""The gain and the cost of each inference option and refinement for a trained model, in one table.

Images of the test split are predicted one at a time. Mean IoU and mean boundary IoU are over all images. The time is
the median per image, from pixels to labels. There is a row for samples of dropout if the model has dropout.

    python benchmarks/inference.py --shards data/shards --model data/model/model.keras --images 50
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from maskline.contracts.manifest import read_manifest  # noqa: E402
from maskline.errors import InputError  # noqa: E402
from maskline.metrics.boundary import boundary_counts, boundary_iou  # noqa: E402
from maskline.metrics.confusion import confusion  # noqa: E402
from maskline.metrics.scores import iou, mean_over_classes  # noqa: E402
from maskline.models.files import load_model  # noqa: E402
from maskline.models.segmentation import SegmentationModel  # noqa: E402
from maskline.prediction.inference import Inference, predictor  # noqa: E402
from maskline.prediction.refine.crf import CrfParams, refined_by_crf  # noqa: E402
from maskline.prediction.refine.grabcut import GrabCutParams, refined_by_grabcut  # noqa: E402
from maskline.prediction.runtimes.keras import KerasRuntime  # noqa: E402
from maskline.shards.read.reader import ShardReader  # noqa: E402

SCALES = (0.75, 1.0, 1.25)
DROPOUT_SAMPLES = 8

Labels = Callable[[np.ndarray], np.ndarray]


def rows_of(model: SegmentationModel, window: int, crf: CrfParams, grabcut: GrabCutParams) -> dict[str, Labels]:
    """Return for each row of the table a function from an image uint8 [H, W, 3] to labels [H, W]."""
    scales = ", ".join(map(str, SCALES))
    options = {
        "none": Inference(),
        "flip": Inference(flip=True),
        f"scales {scales}": Inference(scales=SCALES),
        f"flip, scales {scales}": Inference(flip=True, scales=SCALES),
        f"windows of {window}": Inference(window=window),
        f"{DROPOUT_SAMPLES} samples of dropout": Inference(dropout_samples=DROPOUT_SAMPLES),
    }
    rows: dict[str, Labels] = {}
    for name, inference in options.items():
        try:
            probabilities = compiled(model, inference)
        except InputError as error:
            print(f"left out: {name}, because {error}")
            continue
        rows[name] = lambda image, predict=probabilities: predict(image).argmax(axis=-1)
    once = compiled(model, Inference())
    rows["CRF"] = lambda image: refined_by_crf(image, once(image), crf).argmax(axis=-1)
    rows["GrabCut"] = lambda image: refined_by_grabcut(image, once(image), grabcut)
    return rows


def compiled(model: SegmentationModel, inference: Inference) -> Labels:
    """Return a function of an image that returns its probabilities float32 [H, W, C]."""
    predict = predictor(KerasRuntime(model), inference)
    return lambda image: predict(image[None]).probabilities[0]


def score(labels: Labels, reader: ShardReader, chosen: Sequence[int], classes: int) -> dict[str, float]:
    """Return mean IoU, mean boundary IoU and the median milliseconds per image, of the chosen places in the split."""
    matrix, bands, seconds = np.zeros((classes, classes), np.int64), np.zeros((classes, 3), np.int64), []
    labels(reader.read([0])[0][0])  # traces
    for index in tqdm(chosen, leave=False, disable=None):
        (image,), (truth,) = reader.read([index])
        begun = time.perf_counter()
        predicted = labels(image).astype(np.uint8)
        seconds.append(time.perf_counter() - begun)
        matrix += confusion(truth, predicted, classes)[0]
        bands += boundary_counts(truth, predicted, classes)
    return {
        "mean_iou": mean_over_classes(iou(matrix)),
        "boundary_iou": mean_over_classes(boundary_iou(bands)),
        "ms": 1000 * statistics.median(seconds),
    }


def main() -> None:
    """Score every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, required=True, help="folder of shards and manifest")
    parser.add_argument("--model", type=Path, required=True, help=".keras file")
    parser.add_argument("--images", type=int, help="number of test images, evenly spaced; default: all")
    parser.add_argument("--window", type=int, help="pixels; default: 2/3 of the longer side")
    for prefix, defaults in (("crf", CrfParams()), ("grabcut", GrabCutParams())):
        for name, value in defaults._asdict().items():
            parser.add_argument(f"--{prefix}_{name}", type=type(value), default=value, help="default: %(default)s")
    options = parser.parse_args()
    manifest, model = read_manifest(options.shards), load_model(options.model)
    reader = ShardReader(options.shards, manifest, "test")
    images = min(options.images or len(reader), len(reader))
    chosen = [index * len(reader) // images for index in range(images)]
    crf, grabcut = (
        kind(*(getattr(options, f"{prefix}_{name}") for name in kind._fields))
        for prefix, kind in (("crf", CrfParams), ("grabcut", GrabCutParams))
    )
    rows = rows_of(model, options.window or 2 * max(reader.size) // 3, crf, grabcut)
    print(f"\n{images} test images of {reader.size[0]}x{reader.size[1]}\n")
    print("| inference | mean IoU | boundary IoU | ms per image |\n|---|---|---|---|", flush=True)
    for name, labels in rows.items():
        found = score(labels, reader, chosen, len(manifest.classes))
        print(f"| {name} | {found['mean_iou']:.4f} | {found['boundary_iou']:.4f} | {found['ms']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
