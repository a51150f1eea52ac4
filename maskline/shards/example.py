"""One example of the shards: its feature keys, and the encoding and decoding of its image and labels."""

import io
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from maskline.contracts.fit import Size
from maskline.contracts.manifest import Encoding, Manifest
from maskline.errors import ArtifactError
from maskline.shards.tfrecord import bytes_features, encode_example, read_record, records

IMAGE, LABELS, NAME = "image/encoded", "image/segmentation/class/encoded", "image/filename"
CONTENT = ("image/content/height", "image/content/width")

_JPEG_QUALITY = 95
_PNG_LEVEL = 3


def serialized(
    image: Image.Image, labels: np.ndarray, name: str, encoding: Encoding, content: Size | None = None
) -> bytes:
    """Return the tf.train.Example of an RGB image, its labels uint8 [H, W] and its name.

    Labels are stored without loss: as PNG if the image is JPEG. A padded image says the size of its `content`, which
    lies in its middle.
    """
    labels_encoding: Encoding = "png" if encoding == "jpeg" else encoding
    return encode_example(
        {
            IMAGE: _encoded(image, encoding),
            "image/format": encoding.encode(),
            "image/height": image.height,
            "image/width": image.width,
            NAME: name.encode(),
            LABELS: _encoded(Image.fromarray(labels), labels_encoding),
            "image/segmentation/class/format": labels_encoding.encode(),
            **(dict(zip(CONTENT, content, strict=True)) if content else {}),
        }
    )


def _encoded(image: Image.Image, encoding: Encoding) -> bytes:
    if encoding == "raw":
        return image.tobytes()
    out = io.BytesIO()
    if encoding == "jpeg":
        image.save(out, "jpeg", quality=_JPEG_QUALITY)
    else:
        image.save(out, "png", compress_level=_PNG_LEVEL)
    return out.getvalue()


def read_example(path: Path, index: int, manifest: Manifest) -> tuple[np.ndarray, np.ndarray]:
    """Return image uint8 [H, W, 3] and labels uint8 [H, W] of one example of a shard, without checking the shard.

    Raises:
        ArtifactError: the shard is damaged, or has no such example.
    """
    record = next(islice(records(path), index, None), None)
    if record is None:
        raise ArtifactError(path, f"is damaged: it has no example {index}")
    with open(path, "rb") as file:
        data = read_record(file, record)
    try:
        features = bytes_features(data)
        image, labels = data[features[IMAGE]], data[features[LABELS]]
    except (ValueError, KeyError) as error:
        raise ArtifactError(path, f"is damaged: example {index} has no image and labels ({error})") from None
    if manifest.encoding != "raw":
        return decoded(image, labels)
    size = (manifest.height, manifest.width)
    return np.frombuffer(image, np.uint8).reshape(*size, 3), np.frombuffer(labels, np.uint8).reshape(size)


def decoded(image: bytes | bytearray, labels: bytes | bytearray) -> tuple[np.ndarray, np.ndarray]:
    """Decode PNG or JPEG bytes to an image uint8 [H, W, 3] and labels uint8 [H, W]."""
    import cv2  # not at the top, because the workers that write shards start faster without it

    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)
    classes = cv2.imdecode(np.frombuffer(labels, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None and classes is not None  # the record that holds both passed its checksum
    return pixels, classes
