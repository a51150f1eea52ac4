"""The params that proposals start from."""

import copy
import functools
from pathlib import Path
from typing import Any

from maskline.files.yaml12 import read_yaml

_DEFAULTS = Path(__file__).resolve().parents[3] / "params.yaml"


def default_params() -> dict[str, Any]:
    """Return the params of the project's own params.yaml."""
    return copy.deepcopy(_defaults())


@functools.cache
def _defaults() -> dict[str, Any]:
    values: dict[str, Any] = read_yaml(_DEFAULTS)
    return values
