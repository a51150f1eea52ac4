"""The fully connected conditional random field, which draws similar pixels towards the same class.

Krähenbühl and Koltun, NIPS 2011: Potts compatibility, a kernel of position, a kernel of position and color, and mean
field. As in the authors' code, kernels are normalized symmetrically, and a pixel's sum includes the pixel itself.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from maskline.prediction.refine.permutohedral import gaussian_filter

Filter = Callable[[np.ndarray], np.ndarray]

_TINY = 1e-10  # lowest probability, whose logarithm is finite


class CrfParams(NamedTuple):
    """The field's parameters; the defaults are those of re-implementations of DeepLab on PASCAL VOC.

    Attributes:
        iterations: of mean field; 0 does not change the probabilities.
        gaussian_sigma: reach of the smoothing kernel, pixels.
        gaussian_weight: of the smoothing kernel.
        bilateral_sigma_xy: reach of the edge-preserving kernel, pixels.
        bilateral_sigma_rgb: color distance in the edge-preserving kernel, levels of 0..255.
        bilateral_weight: of the edge-preserving kernel.
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
        params: of the field.

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
    """Return the marginals [N, C] of the field with unary energies -log p.

    Args:
        probabilities: float [N, C].
        kernels: weights, and functions that sum values [N, C] over all pixels, weighted by similarity.
        iterations: number of updates of all pixels.
    """
    logits = np.log(np.maximum(probabilities, _TINY))
    normalized = [(weight, _normalized(kernel, logits)) for weight, kernel in kernels]
    marginals = probabilities
    for _ in range(iterations):
        energies = logits.copy()
        for weight, kernel in normalized:
            energies += weight * kernel(marginals)
        marginals = softmax(energies, axis=1)
    return marginals


def _normalized(kernel: Filter, like: np.ndarray) -> Filter:
    """Return D^-1/2 K D^-1/2, where D is the diagonal matrix of K's row sums."""
    scale = 1 / np.sqrt(kernel(np.ones_like(like[:, :1])))
    return lambda values: scale * kernel(scale * values)
