"""The conversion of a source example to an example of the shards: decode, check, resize and encode it."""

from dataclasses import dataclass

from PIL import Image

from maskline.contracts.fit import Fit, Size, is_too_long, middle, scaled_size
from maskline.contracts.manifest import Encoding
from maskline.contracts.source import Source
from maskline.errors import InputError
from maskline.shards.decode import decode_image, decode_mask, image_size
from maskline.shards.example import serialized
from maskline.shards.fitting import fitted_image, fitted_labels
from maskline.shards.source_examples import SourceExample, example_name
from maskline.shards.write.shard_statistics import ShardStatistics, count, count_fit


@dataclass(frozen=True)
class Target:
    """Height and width in pixels, encoding and fit of the images in the shards."""

    height: int
    width: int
    encoding: Encoding
    fit: Fit = "stretch"

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.height, self.width


def convert(
    example: SourceExample, features: dict[str, bytes], source: Source, target: Target, statistics: ShardStatistics
) -> bytes:
    """Return the serialized example for the shards, and add it to `statistics`.

    Raises:
        InputError: the image or the mask cannot be used, or their sizes differ.
    """
    name = example_name(example, features, source)
    shown = f"{example.split}/{name}"
    data = features[source.image_feature]
    size = image_size(data, shown)
    scaled = scaled_size(size, target.size, target.fit)
    image, conversions = decode_image(data, shown, scaled)
    mask = decode_mask(features[source.mask_feature], shown, source)
    height, width = mask.shape
    if (height, width) != size:
        raise InputError(
            f"image and mask {shown} differ in size: {size[0]}x{size[1]} and {height}x{width} "
            "(height x width, EXIF rotation applied); export the mask again at the image's size."
        )
    if is_too_long((height, width), target.size, target.fit):
        raise InputError(
            f"image {shown} has the size {height}x{width}, too long a shape for preprocess.fit crop at "
            f"{target.height}x{target.width} (height x width); cut or remove the image, or set fit to pad."
        )
    statistics.sizes.add((height, width))
    content = scaled if target.fit == "pad" else target.size
    labels = fitted_labels(mask, target.size, target.fit)
    count(statistics, image, labels[middle(target.size, content)], conversions)
    count_fit(statistics, scaled, target.size)
    small = Image.fromarray(fitted_image(image, target.size, target.fit))
    return serialized(small, labels, name, target.encoding, content if target.fit == "pad" else None)
