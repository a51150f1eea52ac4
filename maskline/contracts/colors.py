"""The colors in which labels are drawn."""

from collections.abc import Sequence

import numpy as np

from maskline.contracts.classes import VOID


def palette(colors: Sequence[str]) -> np.ndarray:
    """Return the colors of all labels, uint8 [256, 3], from those of the classes, '#rrggbb'; void is white."""
    table = np.full((VOID + 1, 3), 255, np.uint8)
    table[: len(colors)] = [list(bytes.fromhex(color[1:])) for color in colors]
    return table
