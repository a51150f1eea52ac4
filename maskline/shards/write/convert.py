"""One source example to a serialized example of the shards: decoded, checked, resized and encoded."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from maskline.contracts.manifest import Encoding
from maskline.contracts.source import Source
from maskline.errors import InputError
from maskline.shards.decode import decode_image, decode_mask
from maskline.shards.example import serialized
from maskline.shards.source_examples import SourceExample, example_name
from maskline.shards.write.shard_statistics import ShardStatistics, count


@dataclass(frozen=True)
class Target:
    """The form of the examples in the shards: height and width in pixels, and the encoding."""

    height: int
    width: int
    encoding: Encoding


def convert(
    example: SourceExample, features: dict[str, bytes], source: Source, target: Target, statistics: ShardStatistics
) -> bytes:
    """Return one serialized example, and add it to `statistics`.

    Raises:
        InputError: the image or the mask cannot be used, or their sizes differ.
    """
    name = example_name(example, features, source)
    shown = f"{example.split}/{name}"
    image, conversions = decode_image(features[source.image_feature], shown)
    mask = decode_mask(features[source.mask_feature], shown, source)
    height, width = mask.shape
    if (height, width) != (image.height, image.width):
        raise InputError(
            f"image and mask {shown} differ in size: {image.height}x{image.width} and {height}x{width} "
            "(height x width, EXIF rotation applied); export the mask again at the image's size."
        )
    statistics.sizes.add((height, width))
    size = (target.width, target.height)
    # Pillow resamples with fixed-point arithmetic, so that every CPU gives the same pixels.
    small = image.resize(size, Image.Resampling.BILINEAR)
    labels = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    count(statistics, image, labels, conversions)
    return serialized(small, labels, name, target.encoding)
