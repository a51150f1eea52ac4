"""Gaussian filtering of values at high-dimensional points in linear time, on the permutohedral lattice.

Adams, Baek and Davis, Computer Graphics Forum 29(2), 2010. Each point distributes its value to the vertices of its
simplex (splat); along each direction of the lattice in turn, each vertex adds half of its two neighbors' values (blur);
and each point gathers from its vertices (slice). All three are sparse matrices here.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

from maskline.errors import InputError


class _Simplices(NamedTuple):
    """The vertices around each point, as keys that increase by a constant from a vertex to its neighbor.

    Attributes:
        keys: int64 [d + 1, N].
        shares: of each point's value for each vertex, float32 [d + 1, N]; they sum to 1.
        steps: increase of a key along each direction of the lattice, int64 [d + 1].
    """

    keys: np.ndarray
    shares: np.ndarray
    steps: np.ndarray


def gaussian_filter(features: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that filters values [N, C] with the kernel exp(-|f_i - f_j|^2 / 2).

    The result is approximate, and correct up to a constant factor.

    Args:
        features: float [N, d], in standard deviations of the kernel.

    Raises:
        InputError: the features spread over more lattice points than int64 keys can distinguish.
    """
    simplices = _simplices(np.ascontiguousarray(features.T, np.float32))
    points, places = np.unique(simplices.keys.T, return_inverse=True)
    splat = _rows(simplices.shares.T, places.reshape(simplices.keys.T.shape), len(points)).T
    blurs = [_blur(points, step) for step in simplices.steps]

    def filtered(values: np.ndarray) -> np.ndarray:
        values = splat @ values
        for blur in blurs:
            values = blur @ values
        return splat.T @ values

    return filtered


def _simplices(features: np.ndarray) -> _Simplices:
    """Return the simplex around each point of features float32 [d, N]."""
    elevated = _elevated(features)
    directions = len(elevated)
    nearest = np.rint(elevated / directions)  # a lattice point's coordinates are multiples of d + 1, summing to 0
    rank = _ranks(elevated - directions * nearest) + nearest.sum(axis=0).astype(np.int32)
    wrapped = (rank < 0).astype(np.int32) - (rank >= directions)
    rank += directions * wrapped
    corner = directions * (nearest + wrapped)
    keys, steps = _keys(corner[:-1].astype(np.int64), rank[:-1])
    return _Simplices(keys, _barycentric((elevated - corner) / directions, rank), steps)


def _elevated(features: np.ndarray) -> np.ndarray:
    """Rotate features [d, N] into the hyperplane of d + 1 coordinates that sum to 0, scaled to match the blur."""
    d = len(features)
    number = np.arange(1, d + 1, dtype=np.float32)[:, None]
    scaled = features * ((d + 1) * np.sqrt(2 / 3, dtype=np.float32) / np.sqrt(number * (number + 1)))
    elevated = np.zeros((d + 1, features.shape[1]), np.float32)
    elevated[:-1] = np.cumsum(scaled[::-1], axis=0)[::-1]
    elevated[1:] -= number * scaled
    return elevated


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return each value's rank in its column, 0 for the largest, ties by row, int32 like values [K, N]."""
    ranks = np.zeros(values.shape, np.int32)
    for row in range(len(values)):
        for other in range(row + 1, len(values)):
            below = values[row] < values[other]
            ranks[row] += below
            ranks[other] += ~below
    return ranks


def _barycentric(offsets: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return the vertices' shares from the offsets to the simplex's corner, float32 [d + 1, N], and their ranks."""
    ordered = np.empty_like(offsets)
    np.put_along_axis(ordered, rank.astype(np.intp), offsets, axis=0)
    between = ordered[:-1] - ordered[1:]
    return np.concatenate([1 - ordered[:1] + ordered[-1:], between[::-1]])


def _keys(corner: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pack the first d coordinates of each simplex's vertices into keys; the last follows, because they sum to 0.

    Args:
        corner: int64 [d, N], the vertex whose coordinates are multiples of d + 1.
        rank: int32 [d, N].

    Returns:
        Keys int64 [d + 1, N] and steps int64 [d + 1].
    """
    directions = len(corner) + 1
    low = corner.min(axis=1, keepdims=True) - 2 * directions  # room for the vertices and their neighbours
    extents = (corner.max(axis=1, keepdims=True) - low + 3 * directions).ravel().tolist()
    radices = [math.prod(extents[i + 1 :]) for i in range(len(extents))]
    if math.prod(extents) >= 2**63:
        raise InputError(
            "the CRF's kernels are too narrow for an image of this size; raise their sigmas. Received: features over "
            f"{' x '.join(map(str, extents))} lattice points"
        )
    radix = np.array(radices, np.int64)
    steps = radix.sum() - directions * np.append(radix, 0)
    key = radix @ (corner - low)
    vertices = [key + k * radix.sum() - directions * (radix @ (rank > len(corner) - k)) for k in range(directions)]
    return np.stack(vertices), steps


def _blur(points: np.ndarray, step: int) -> sparse.csr_array:
    """Return the matrix that adds to each of the sorted keys [M] half of both neighbors' values, if they exist."""
    after = np.searchsorted(points, points + step)
    before = np.searchsorted(points, points - step)
    places = np.stack([np.arange(len(points)), after, before], axis=1)
    wanted = np.stack([points, points + step, points - step], axis=1)
    shares = (points[np.minimum(places, len(points) - 1)] == wanted) * np.array([1.0, 0.5, 0.5], np.float32)
    return _rows(shares, np.where(shares > 0, places, 0), len(points))


def _rows(values: np.ndarray, columns: np.ndarray, width: int) -> sparse.csr_array:
    """Return the sparse matrix whose row i has values[i] in columns[i], from float32 [N, K] and int [N, K]."""
    count, each = values.shape
    ends = np.arange(0, count * each + 1, each)
    return sparse.csr_array((values.ravel().astype(np.float32), columns.ravel(), ends), shape=(count, width))
