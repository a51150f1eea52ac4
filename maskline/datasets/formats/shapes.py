"""The pixels of an annotation's shapes, as run lengths; polygons cover the pixels that COCO's own code gives them.

A shape is a function of an image's height and width. It returns the lengths of the runs outside and inside it in turn,
column by column, int64 [R], which sum to the number of pixels, and raises ValueError if it does not fit the image.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from maskline.contracts.rle import class_runs, from_text

Shape = Callable[[int, int], np.ndarray]

_SCALE = 5  # COCO samples a polygon's border at a fifth of a pixel
_BLOCK = 256  # sides sampled at once, to bound memory
_ELLIPSE_POINTS = 720  # within 0.05 pixels of an ellipse of 10,000 pixels


def polygon(points: Sequence[float], per_width: bool = False) -> Shape:
    """Return the shape of x, y, x, y ...: pixels from the top left corner, or shares of width and height.

    Raises:
        ValueError: a coordinate lacks its pair.
    """
    if len(points) % 2:
        raise ValueError(f"has {len(points)} coordinates, which are not pairs of x and y")
    return partial(_polygon, np.array(points, np.float64).reshape(-1, 2), per_width)


def box(left: float, top: float, right: float, bottom: float) -> Shape:
    """Return the shape of an upright rectangle, pixels."""
    return polygon([left, top, left, bottom, right, bottom, right, top])


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0) -> Shape:
    """Return the shape of an ellipse around (x, y), pixels, turned clockwise."""
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)
    turned = turn(np.stack([radius_x * np.cos(angles), radius_y * np.sin(angles)], axis=1), degrees)
    return polygon(np.add(turned, (x, y)).ravel().tolist())


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    """Turn points, float64 [N, 2], clockwise around the origin."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[cos, sin], [-sin, cos]])


def run_lengths(counts: str | Sequence[int], size: tuple[int, int]) -> Shape:
    """Return the shape of COCO's run lengths, as text or numbers, of a mask with a height and a width."""
    return partial(_run_lengths, counts, size)


def boxed_run_lengths(counts: Sequence[int], left: int, top: int, width: int, height: int) -> Shape:
    """Return the shape of run lengths in a box, row by row, from the outside."""
    return partial(_boxed_run_lengths, counts, (left, top, left + width, top + height))


def bitmap(mask: Callable[[], np.ndarray], left: int, top: int) -> Shape:
    """Return the shape of a mask, bool [h, w], that a function returns, with its first pixel at `left` and `top`."""
    return partial(_bitmap, mask, left, top)


def pixels(runs: np.ndarray) -> int:
    """Return the number of pixels in a shape's runs."""
    return int(runs[1::2].sum())


def _polygon(points: np.ndarray, per_width: bool, height: int, width: int) -> np.ndarray:
    if per_width:
        points = points * [width, height]
    size = np.array([width, height])
    if not np.isfinite(points).all() or (points < -size).any() or (points > 2 * size).any():
        x, y = next(p for p in points.tolist() if not (-width <= p[0] <= 2 * width and -height <= p[1] <= 2 * height))
        raise ValueError(f"has the point ({x:g}, {y:g}), far outside the image of {width} x {height} pixels")
    closed = np.trunc(_SCALE * np.concatenate([points, points[:1]]) + 0.5).astype(np.int64)
    blocks = [_crossings(closed[i : i + _BLOCK + 1], height, width) for i in range(0, len(points), _BLOCK)]
    places, times = np.unique(np.concatenate([*blocks, []]).astype(np.int64), return_counts=True)
    borders = places[(times % 2 == 1) & (places < height * width)]  # two sides at one place cancel out
    return np.diff(borders, prepend=0, append=height * width)


def _crossings(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the pixels, counted column by column, at which the sides between points cross a column's middle.

    Args:
        points: int64 [N, 2], in fifths of pixels.
        height: of the image.
        width: of the image.
    """
    start, end = points[:-1], points[1:]
    length = np.abs(end - start)
    is_flat = length[:, 0] >= length[:, 1]
    main = np.where(is_flat, 0, 1)
    steps = length.max(axis=1)
    row = np.arange(len(steps))
    # COCO walks each side in the direction of its longer extent.
    backward = start[row, main] > end[row, main]
    start, end = np.where(backward[:, None], end, start), np.where(backward[:, None], start, end)
    slope = (end[row, 1 - main] - start[row, 1 - main]) / np.maximum(steps, 1)
    side = np.repeat(row, steps + 1)
    step = np.arange(len(side)) - np.repeat(np.cumsum(steps + 1) - (steps + 1), steps + 1)
    along = step + start[side, main[side]]
    across = np.trunc(start[side, 1 - main[side]] + slope[side] * step + 0.5).astype(np.int64)
    x, y = np.where(is_flat[side], along, across), np.where(is_flat[side], across, along)
    moves = (x[1:] != x[:-1]) & (side[1:] == side[:-1])
    x, y = np.minimum(x[1:], x[:-1])[moves], np.minimum(y[1:], y[:-1])[moves]
    column = (x - _SCALE // 2) // _SCALE
    is_middle = (x % _SCALE == _SCALE // 2) & (column >= 0) & (column < width)
    top = np.ceil(((y[is_middle] + 0.5) / _SCALE - 0.5).clip(0, height)).astype(np.int64)
    return column[is_middle] * height + top


def _run_lengths(counts: str | Sequence[int], size: tuple[int, int], height: int, width: int) -> np.ndarray:
    if tuple(size) != (height, width):
        raise ValueError(f"has run lengths of {size[1]} x {size[0]} pixels, but the image has {width} x {height}")
    return _lengths(from_text(counts).tolist() if isinstance(counts, str) else counts, height * width, "the image")


def _lengths(counts: Sequence[int], size: int, place: str) -> np.ndarray:
    """Return run lengths, int64 [R], that must be those of a number of pixels."""
    if min(counts, default=0) < 0 or sum(counts) != size:
        raise ValueError(f"has run lengths of {sum(counts)} pixels, but {place} has {size}")
    return np.array(counts, np.int64)


def _boxed_run_lengths(
    counts: Sequence[int], corners: tuple[int, int, int, int], height: int, width: int
) -> np.ndarray:
    left, top, right, bottom = corners
    _check_corners(corners, height, width)
    runs = _lengths(counts, (right - left) * (bottom - top), f"its box of {right - left} x {bottom - top}")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return _placed(inside.reshape(bottom - top, right - left), left, top, height, width)


def _bitmap(mask: Callable[[], np.ndarray], left: int, top: int, height: int, width: int) -> np.ndarray:
    part = mask()
    _check_corners((left, top, left + part.shape[1], top + part.shape[0]), height, width)
    return _placed(part, left, top, height, width)


def _check_corners(corners: tuple[int, int, int, int], height: int, width: int) -> None:
    left, top, right, bottom = corners
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(
            f"has a mask from ({left}, {top}) to ({right}, {bottom}), which is not in the image of {width} x {height} "
            "pixels"
        )


def _placed(part: np.ndarray, left: int, top: int, height: int, width: int) -> np.ndarray:
    whole = np.zeros((height, width), np.uint8)
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return class_runs(whole, 2)[1]
