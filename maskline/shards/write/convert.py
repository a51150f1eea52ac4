"""One raw example to a serialised example of the shards: decoded, checked, resized and encoded."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from maskline.contracts.manifest import Encoding
from maskline.contracts.source import Source
from maskline.errors import InputError
from maskline.shards.decode import decode_image, decode_mask
from maskline.shards.raw import Raw, example_name
from maskline.shards.tfrecord import encode_example
from maskline.shards.write.shard_statistics import ShardStatistics, count

_JPEG_QUALITY = 95
_PNG_LEVEL = 3


@dataclass(frozen=True)
class Target:
    """The shards to make: size in pixels, and encoding."""

    height: int
    width: int
    encoding: Encoding


def convert(raw: Raw, features: dict[str, bytes], source: Source, target: Target, statistics: ShardStatistics) -> bytes:
    """Return one serialised example, and add what it looked like to `statistics`."""
    name = example_name(raw, features, source)
    shown = f"{raw.split}/{name}"
    image, conversions = decode_image(features[source.image_feature], shown)
    mask = decode_mask(features[source.mask_feature], shown, source)
    if mask.shape != (image.height, image.width):
        raise InputError(
            f"image and mask {shown} differ in size: {image.height}x{image.width} and {mask.shape[0]}x{mask.shape[1]} "
            "(height x width, EXIF rotation applied); export the mask again at the image's size."
        )
    statistics.sizes.add(mask.shape)
    size = (target.width, target.height)
    # Pillow resamples with fixed-point arithmetic, so that every CPU gives the same pixels.
    small = image.resize(size, Image.Resampling.BILINEAR)
    labels = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    count(statistics, image, labels, conversions)
    return encode_example(
        {
            "image/encoded": _encode(small, target.encoding),
            "image/format": target.encoding.encode(),
            "image/height": target.height,
            "image/width": target.width,
            "image/filename": name.encode(),
            "image/segmentation/class/encoded": _encode(
                Image.fromarray(labels), "png" if target.encoding == "jpeg" else target.encoding
            ),
            "image/segmentation/class/format": b"raw" if target.encoding == "raw" else b"png",
        }
    )


def _encode(image: Image.Image, encoding: str) -> bytes:
    if encoding == "raw":
        return image.tobytes()
    out = io.BytesIO()
    if encoding == "jpeg":
        image.save(out, "jpeg", quality=_JPEG_QUALITY)
    else:
        image.save(out, "png", compress_level=_PNG_LEVEL)
    return out.getvalue()
