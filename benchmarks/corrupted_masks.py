"""Masks with a known mistake of one of four kinds, to measure how well mistakes are found."""

from collections.abc import Sequence

import cv2
import numpy as np

from maskline.contracts.classes import VOID

KINDS = ("shifted", "swapped", "missing", "coarse")
_SHIFT = 0.06  # of the image's mean side
_TOLERANCE = 0.04  # of a polygon, as a share of the contour's length
_LEAST, _MOST = 0.004, 0.5  # share of the image that a missing object covers
_SHARE = 0.01  # of the image that a class to swap covers, at least


def corrupted(
    labels: np.ndarray, kind: str, rng: np.random.Generator, objects: Sequence[int], fill: int | None
) -> np.ndarray | None:
    """Return labels uint8 [H, W] with a mistake, or None if the image has nothing to make it of.

    Args:
        objects: classes of which one object goes missing, and whose outlines become coarse.
        fill: the class in place of a missing object; None: the one around it.
    """
    if kind == "shifted":
        return _shifted(labels, rng)
    if kind == "swapped":
        return _swapped(labels, rng)
    return _without_object(labels, rng, objects, fill) if kind == "missing" else _coarse(labels, objects, fill)


def _shifted(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move all labels in one direction; the edge repeats."""
    far = max(1, round(_SHIFT * sum(labels.shape) / 2))
    angle = rng.uniform(0, 2 * np.pi)
    down, right = round(far * np.sin(angle)), round(far * np.cos(angle))
    rows = np.arange(labels.shape[0]) - down
    columns = np.arange(labels.shape[1]) - right
    return labels[rows.clip(0, labels.shape[0] - 1)[:, None], columns.clip(0, labels.shape[1] - 1)]


def _swapped(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Exchange two classes of the image."""
    counts = np.bincount(labels.ravel(), minlength=256)[:VOID]
    present = np.flatnonzero(counts >= _SHARE * labels.size)
    if len(present) < 2:
        return None
    first, second = rng.choice(present, 2, replace=False)
    out = labels.copy()
    out[labels == first], out[labels == second] = second, first
    return out


def _without_object(
    labels: np.ndarray, rng: np.random.Generator, objects: Sequence[int], fill: int | None
) -> np.ndarray | None:
    """Give one object to the class around it."""
    found = []
    # With a class to fill with, the objects' classes are parts of one object.
    for chosen in [objects] if fill is not None else [[label] for label in objects]:
        count, parts, stats, _ = cv2.connectedComponentsWithStats(np.isin(labels, chosen).astype(np.uint8))
        shares = stats[:, cv2.CC_STAT_AREA] / labels.size
        found += [parts == n for n in range(1, count) if _LEAST <= shares[n] <= _MOST]
    if not found:
        return None
    part = found[rng.integers(len(found))]
    ring = (cv2.dilate(part.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & ~part
    around = np.bincount(labels[ring], minlength=256)[:VOID]
    if fill is None and not around.any():
        return None
    out = labels.copy()
    out[part] = around.argmax() if fill is None else fill
    return out


def _coarse(labels: np.ndarray, objects: Sequence[int], fill: int | None) -> np.ndarray | None:
    """Draw the outline of each object as a polygon of few corners."""
    out = labels.copy()
    groups = [objects] if fill is not None else [[label] for label in objects]
    for chosen in groups:
        of_class = np.isin(labels, chosen)
        contours, _ = cv2.findContours(of_class.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            if cv2.contourArea(contour) < _LEAST * labels.size:
                continue
            polygon = cv2.approxPolyDP(contour, _TOLERANCE * cv2.arcLength(contour, True), True)
            whole, drawn = np.zeros((2, *labels.shape), np.uint8)
            cv2.drawContours(whole, [contour], -1, 1, -1)
            cv2.fillPoly(drawn, [polygon], 1)
            outside = (whole > 0) & (drawn == 0) & of_class
            ring = (cv2.dilate(whole, np.ones((5, 5), np.uint8)) > 0) & (whole == 0)
            around = np.bincount(labels[ring], minlength=256)[:VOID]
            if not around.any():
                continue
            out[outside] = around.argmax() if fill is None else fill
            out[(drawn > 0) & (whole == 0)] = (
                chosen[0] if fill is None else np.bincount(labels[(whole > 0) & of_class]).argmax()
            )
    return None if (out == labels).all() else out
