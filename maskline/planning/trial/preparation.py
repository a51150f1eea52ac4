"""A trial of preprocess: what an image takes once it is decoded."""

import hashlib

import numpy as np
from PIL import Image

from maskline.params.preprocess import PreprocessParams
from maskline.planning.trial.shards import synthetic_example
from maskline.planning.trial.timing import Stopwatch, typical
from maskline.shards.example import serialized
from maskline.shards.fitting import fitted_image, fitted_labels
from maskline.shards.tfrecord import frame
from maskline.shards.write.shard_statistics import ShardStatistics, count

_TIMES = 5


def seconds_to_prepare(params: PreprocessParams, classes: int, size: tuple[int, int]) -> float:
    """Return the seconds to resize, count and encode an image of an original size and its mask."""
    pixels, labels = synthetic_example(np.random.default_rng(0), size, classes)
    target = params.height, params.width
    image, taken = Image.fromarray(pixels), []
    for _ in range(_TIMES):
        statistics = ShardStatistics(np.zeros(classes, np.int64), np.zeros(classes, np.int64))
        watch = Stopwatch()
        fitted = fitted_labels(labels, target, params.fit)
        count(statistics, image, fitted, ())
        small = Image.fromarray(fitted_image(image, target, params.fit))
        data = frame(serialized(small, fitted, "", params.encoding))
        hashlib.sha256(data).digest()
        taken.append(watch.lap())
    return typical(taken)
