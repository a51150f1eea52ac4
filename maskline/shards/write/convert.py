"""The conversion of a source example to an example of the shards: decode, check, resize and encode it."""

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
    """Height and width in pixels, and encoding, of the images in the shards."""

    height: int
    width: int
    encoding: Encoding


def convert(
    example: SourceExample, features: dict[str, bytes], source: Source, target: Target, statistics: ShardStatistics
) -> bytes:
    """Return the serialized example for the shards, and add it to `statistics`.

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
    # Pillow resamples with fixed-point arithmetic, which gives the same pixels on every CPU.
    small = image.resize(size, Image.Resampling.BILINEAR)
    labels = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    count(statistics, image, labels, conversions)
    return serialized(small, labels, name, target.encoding)
