"""Pictures of predictions: masks in class colors, errors on the gray image, uncertainty, and strips of them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from maskline.contracts.classes import VOID
from maskline.contracts.colors import palette

_WHITE = (255, 255, 255)
_RED = (214, 39, 40)
_GAP = 4  # pixels between the panels of a strip


def paint(labels: np.ndarray, colors: Sequence[str]) -> np.ndarray:
    """Return labels uint8 [H, W] in the colors '#rrggbb' of their classes, uint8 [H, W, 3]; void is white."""
    return palette(colors)[labels]


def errors(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the image in pale gray with wrong pixels in red and void in white, uint8 [H, W, 3]."""
    gray = np.asarray(Image.fromarray(image).convert("L")) // 2 + 112
    out = np.repeat(gray[..., None], 3, axis=2)
    out[truth != prediction] = _RED
    out[truth == VOID] = _WHITE
    return out


def shade(uncertainty: np.ndarray) -> np.ndarray:
    """Return uncertainty float [H, W] in 0..1 as uint8 [H, W, 3]: its square root, from black to white."""
    gray = np.round(255 * np.sqrt(np.clip(uncertainty, 0.0, 1.0))).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def strip(panels: Sequence[np.ndarray]) -> np.ndarray:
    """Return panels uint8 [H, W, 3] side by side, with white between them."""
    height = panels[0].shape[0]
    gap = np.full((height, _GAP, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (panel, gap)]
    return np.concatenate(parts[:-1], axis=1)
