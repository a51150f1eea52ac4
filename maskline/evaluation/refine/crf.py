"""The fully connected conditional random field: each pixel's classes pulled towards those of all others like it.

Krähenbühl and Koltun, NIPS 2011: Potts compatibility, a kernel of position and one of position and colour, mean field.
As in the authors' code, kernels are normalised symmetrically, and a pixel's own share in its sum is left in.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from maskline.evaluation.refine.permutohedral import gaussian_filter

Filter = Callable[[np.ndarray], np.ndarray]

_TINY = 1e-10  # the lowest probability: a pixel may yet be persuaded


class CrfParams(NamedTuple):
    """The field's parameters; the defaults are those that re-implementations give for DeepLab on PASCAL VOC.

    Attributes:
        iterations: of mean field; 0 leaves the probabilities as they are.
        gaussian_sigma: pixels, of the kernel that smooths.
        gaussian_weight: of that kernel.
        bilateral_sigma_xy: pixels, of the kernel that follows edges.
        bilateral_sigma_rgb: levels of 0..255, of the same.
        bilateral_weight: of the same.
    """

    iterations: int = 10
    gaussian_sigma: float = 3.0
    gaussian_weight: float = 3.0
    bilateral_sigma_xy: float = 50.0
    bilateral_sigma_rgb: float = 3.0
    bilateral_weight: float = 5.0


def refined_by_crf(image: np.ndarray, probabilities: np.ndarray, params: CrfParams) -> np.ndarray:
    """Return the probabilities after mean field, float32 [H, W, C].

    Args:
        image: uint8 [H, W, 3], RGB.
        probabilities: float32 [H, W, C].
        params: the field's.

    Raises:
        InputError: a sigma is too small for the image's size.
    """
    places = np.moveaxis(np.indices(image.shape[:2], np.float32), 0, -1).reshape(-1, 2)
    colors = image.reshape(-1, 3) / np.float32(params.bilateral_sigma_rgb)
    kernels = [
        (params.gaussian_weight, places / params.gaussian_sigma),
        (params.bilateral_weight, np.concatenate([places / params.bilateral_sigma_xy, colors], axis=1)),
    ]
    filters = [(weight, gaussian_filter(features)) for weight, features in kernels if weight]
    flat = probabilities.reshape(-1, probabilities.shape[-1])
    return mean_field(flat, filters, params.iterations).reshape(probabilities.shape)


def mean_field(probabilities: np.ndarray, kernels: Sequence[tuple[float, Filter]], iterations: int) -> np.ndarray:
    """Return the marginals of the field whose unary energies are -log p, like probabilities [N, C].

    Args:
        probabilities: float [N, C].
        kernels: weights, and functions that sum values [N, C] over all pixels, weighted by their likeness.
        iterations: of updating all pixels at once.
    """
    logits = np.log(np.maximum(probabilities, _TINY))
    normalised = [(weight, _normalised(kernel, logits)) for weight, kernel in kernels]
    marginals = probabilities
    for _ in range(iterations):
        energies = logits.copy()
        for weight, kernel in normalised:
            energies += weight * kernel(marginals)
        marginals = softmax(energies, axis=1)
    return marginals


def _normalised(kernel: Filter, like: np.ndarray) -> Filter:
    """Return D^-1/2 K D^-1/2 where D holds the sums of K's rows."""
    scale = 1 / np.sqrt(kernel(np.ones_like(like[:, :1])))
    return lambda values: scale * kernel(scale * values)
