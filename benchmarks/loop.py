"""Label the images of a folder with an engine in a plain loop, with which `maskline predict` is compared.

Each image is decoded, resized, labeled and written by the functions of `maskline predict`, one after the other. Areas
are not counted. The models are those of `engines.write_models`.

    python benchmarks/loop.py "traced Keras" models photographs out
"""

import argparse
from pathlib import Path

import numpy as np
from engines import ENGINES, Predict

from maskline.contracts.model_info import ModelInfo, read_keras_info
from maskline.engine.cores import cores
from maskline.prediction.inference import Inference
from maskline.prediction.labels import labeled_rows
from maskline.prediction.open_image import open_image
from maskline.prediction.pictures import write_labels, write_overlay


class EngineRuntime:
    """An engine of the benchmarks as a `Runtime` of maskline.

    Args:
        info: of the model.
        predict: function of images uint8 [1, H, W, 3] that returns float32 [1, H, W, C].
    """

    fixed_size = None
    sampling = None

    def __init__(self, info: ModelInfo, predict: Predict) -> None:
        self.info, self.stride, self.probabilities = info, info.stride, predict


def label(runtime: EngineRuntime, path: Path, out: Path) -> None:
    """Write the labels and the overlay of an image."""
    colors = [c.color for c in runtime.info.classes]
    image = open_image(path, path.name).rows
    labels = np.concatenate([band.labels for band in labeled_rows(runtime, image, Inference())])
    write_overlay(out / "overlays" / f"{path.stem}.jpg", image, labels, colors)
    write_labels(out / "labels" / f"{path.stem}.png", labels, colors)


def main() -> None:
    """Label every image of the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("models", type=Path, help="folder of model files")
    parser.add_argument("images", type=Path, help="folder of images")
    parser.add_argument("out", type=Path, help="folder to write")
    options = parser.parse_args()
    engine = ENGINES[options.engine]
    predict = engine.load(options.models / engine.file, cores())
    runtime = EngineRuntime(read_keras_info(options.models / "model.keras"), predict)
    for path in sorted(options.images.iterdir()):
        label(runtime, path, options.out)


if __name__ == "__main__":
    main()
