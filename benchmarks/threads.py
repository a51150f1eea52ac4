"""Whether probabilities are the same bytes for different numbers of TensorFlow's threads, network by network.

Each number of threads has a process of its own. Weights are random; the images of the second size have odd sides:

    python benchmarks/threads.py --threads 1 2 3 8
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

CASES = (
    ("unet", "unet"),
    ("unet_pix2pix", "mobilenet_v2"),
    ("fcn8s", "vgg16"),
    ("pspnet", "resnet50"),
    ("deeplabv3plus", "xception"),
    ("fpn", "efficientnet_b0"),
    ("linknet", "densenet121"),
    ("enet", "enet"),
)
SHAPES = ((8, 96, 128), (3, 90, 121))  # images, height, width
CLASSES = 11


def found() -> dict[str, str]:
    """Return the digest of the probabilities of each network and shape, in this process."""
    import keras
    import tensorflow as tf

    from maskline.models.segmentation import SegmentationModel
    from maskline.prediction.runtimes.keras import KerasRuntime

    tf.config.experimental.enable_op_determinism()
    names, colors = [str(label) for label in range(CLASSES)], ["#000000"] * CLASSES
    digests = {}
    for architecture, encoder in CASES:
        keras.utils.set_random_seed(1)
        model = SegmentationModel(architecture, encoder, names, colors, 32, 0.0, False, "float32")
        runtime = KerasRuntime(model)
        for shape in SHAPES:
            images = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
            name = f"{architecture} with {encoder}, {'x'.join(map(str, shape))}"
            digests[name] = hashlib.sha256(runtime.probabilities(images).tobytes()).hexdigest()
    return digests


def of_threads(count: int) -> dict[str, str]:
    """Return what a process with this number of threads finds."""
    done = subprocess.run(
        [sys.executable, __file__, "--child"],
        env=os.environ | {"TF_NUM_INTRAOP_THREADS": str(count)},
        check=True,
        stdout=subprocess.PIPE,
    )
    digests: dict[str, str] = json.loads(done.stdout)
    return digests


def main() -> None:
    """Print for each case which numbers of threads give the same bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 3, 8], help="default: %(default)s")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(found()))
        return
    digests = {count: of_threads(count) for count in options.threads}
    for name in digests[options.threads[0]]:
        alike: dict[str, list[str]] = {}
        for count, of_count in digests.items():
            alike.setdefault(of_count[name], []).append(str(count))
        print(f"{name}: {' | '.join(', '.join(counts) for counts in alike.values())}")


if __name__ == "__main__":
    main()
