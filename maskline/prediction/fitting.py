"""What a model gets of an image of any size, and which part of its prediction shows the image, as preprocess fits it.

An image that crop would cut is predicted whole, at the scale of its middle, in overlapping windows of the training
size.
"""

import numpy as np

from maskline.contracts.fit import Part, Size, middle, scaled_size
from maskline.contracts.model_info import Preprocessing
from maskline.prediction.inference import Inference
from maskline.prediction.resizing import resized_image
from maskline.shards.fitting import padded


def model_input(image: np.ndarray, made: Preprocessing) -> np.ndarray:
    """Return an image uint8 [H, W, 3] as uint8 [h, w, 3]: resized, and for pad mirrored around it."""
    small = resized_image(image, scaled_size(image.shape[:2], made.size, made.fit))
    return padded(small, made.size) if made.fit == "pad" else small


def content(shape: Size, image: Size, made: Preprocessing) -> Part:
    """Return the rows and columns of the model's input, of the size `shape`, that show the whole image."""
    return middle(shape, scaled_size(image, made.size, made.fit))


def fitted(inference: Inference, made: Preprocessing) -> Inference:
    """Return the inference for what `model_input` returns: for crop in windows of the training size."""
    return inference._replace(window=made.size) if made.fit == "crop" else inference
