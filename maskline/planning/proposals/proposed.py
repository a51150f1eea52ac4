"""Params with choices put into them."""

import copy
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from maskline.files.yaml12 import read_yaml
from maskline.planning.choice import Choice

_DEFAULTS = Path(__file__).resolve().parents[3] / "params.yaml"


def default_params() -> dict[str, Any]:
    """Return the params of the project's own params.yaml."""
    return copy.deepcopy(_defaults())


@functools.cache
def _defaults() -> dict[str, Any]:
    values: dict[str, Any] = read_yaml(_DEFAULTS)
    return values


def with_choices(params: dict[str, Any], choices: Iterable[Choice]) -> dict[str, Any]:
    """Return a copy of params, shaped like params.yaml, with the values of choices."""
    values = copy.deepcopy(params)
    for choice in choices:
        *sections, last = choice.key.split(".")
        place = values
        for section in sections:
            place = place[section]
        place[last] = choice.value
    return values
