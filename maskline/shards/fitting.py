"""The pixels of an image, and the labels of its mask, at the size of the training images; see `contracts.fit`."""

import numpy as np
from PIL import Image

from maskline.contracts.classes import VOID
from maskline.contracts.fit import Fit, Size, middle, scaled_size


def fitted_image(image: Image.Image, size: Size, fit: Fit) -> np.ndarray:
    """Return an RGB image as uint8 [height, width, 3].

    Padding shows the image mirrored at its edges, as often as it takes. So it adds no edge, and no brightness or color
    that the image does not have.
    """
    small = scaled_image(image, scaled_size((image.height, image.width), size, fit))
    return small[middle(small.shape[:2], size)] if fit == "crop" else padded(small, size)


def fitted_labels(labels: np.ndarray, size: Size, fit: Fit) -> np.ndarray:
    """Return labels uint8 [H, W] as uint8 [height, width]; padding is void."""
    height, width = scaled_size(labels.shape, size, fit)
    small = np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))
    if fit == "crop":
        return small[middle(small.shape, size)]
    out = np.full(size, VOID, np.uint8)
    out[middle(size, small.shape)] = small
    return out


def scaled_image(image: Image.Image, size: Size) -> np.ndarray:
    """Return an RGB image resized with antialiasing, uint8 [height, width, 3]."""
    # Pillow resamples with fixed-point arithmetic, which gives the same pixels on every CPU.
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def padded(image: np.ndarray, size: Size) -> np.ndarray:
    """Return an image uint8 [h, w, 3] in the middle of uint8 [height, width, 3], mirrored around it."""
    if image.shape[:2] == size:
        return image
    rows, columns = middle(size, image.shape[:2])
    widths = [(part.start, length - part.stop) for part, length in zip((rows, columns), size, strict=True)]
    return np.pad(image, [*widths, (0, 0)], "symmetric")
