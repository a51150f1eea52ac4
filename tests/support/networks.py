"""Small networks of every architecture, and images for them."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend import StatelessScope
from keras.src.backend.common import global_state

from maskline.metrics.confusion import confusion_matrices
from maskline.metrics.scores import iou, mean_over_classes
from maskline.models.catalogue import NETWORKS
from maskline.models.encoders import registry as encoders
from maskline.models.encoders.applications import minus_one_to_one
from maskline.models.layers.blocks import conv
from maskline.models.segmentation import SegmentationModel

NAMES, COLORS = ["ground", "sky", "tree"], ["#336699", "#88ccff", "#227733"]


def _small(options: encoders.Options) -> keras.Model:
    """Return an encoder with one convolution per stride, for tests that do not depend on the encoder."""
    images = keras.Input((None, None, 3))
    x, levels = minus_one_to_one(images), []
    for stride in (2, 4, 8, 16, 32):
        kept = stride > options.output_stride
        x = conv(x, 2 * options.width, rate=stride // options.output_stride if kept else 1, strides=1 if kept else 2)
        levels.append(x)
    return keras.Model(images, levels, name="small")


# The networks of keras.applications take most of a test's time; they have their own tests.
encoders._OWN["small"] = encoders._Own(_small, (2, 4, 8, 16, 32))
_OWN = ("unet", "enet", "vgg16_bn", "small")
# The others differ from one of these in a layer that has tests of its own.
DISTINCT = [name for name in NETWORKS if not name.endswith("_nearest")]
SMALL = {name: next(own for own in _OWN if own in (*network.encoders, "small")) for name, network in NETWORKS.items()}


def build(architecture: str = "unet", encoder: str | None = None, **changes) -> SegmentationModel:
    """Return a network with few channels and the weights of seed 3."""
    keras.utils.set_random_seed(3)
    options = {
        "width": 4,
        "dropout": 0.5 if architecture == "bayesian_segnet" else 0.0,
        "freeze_encoder": False,
        "precision": "float32",
        "output_stride": NETWORKS[architecture].output_strides[0],
    }
    encoder = encoder or SMALL[architecture]
    return SegmentationModel(architecture, encoder, NAMES, COLORS, **(options | changes))


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Create variables without values, because initializing millions of numbers takes long."""
    with StatelessScope(initialize_variables=False):
        yield
    global_state.set_global_attribute("uninitialized_variables", [])


def share_values(model: keras.Model, other: keras.Model) -> None:
    """Give a model that was built without values the values of another."""
    for ours, theirs in zip(model.variables, other.variables, strict=True):
        assert ours.shape == theirs.shape
        ours._initialize(theirs.value)


def images(height: int = 64, width: int = 64, count: int = 2) -> np.ndarray:
    """Return noise, uint8 [count, height, width, 3]."""
    return np.random.default_rng(5).integers(0, 256, (count, height, width, 3), np.uint8)


def scenes(size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return four images uint8 [4, size, size, 3] of three noisy colors, and their labels."""
    half, labels = size // 2, np.zeros((4, size, size), np.int32)
    labels[:, :half, :half] = 1
    labels[1:3, half:, half:] = 2
    labels[3, :, half:] = 2
    colors = np.array([[40, 60, 80], [200, 90, 30], [90, 220, 120]])
    return (colors[labels] + images(size, size, 4) // 8).astype(np.uint8), labels


def mean_iou(model: SegmentationModel, x: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean IoU over the classes of all images."""
    matrices = confusion_matrices(labels, tf.argmax(model(x), axis=-1).numpy(), len(NAMES))
    return float(mean_over_classes(iou(matrices.sum(axis=0))))
