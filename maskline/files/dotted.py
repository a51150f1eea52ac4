"""Nested params by dotted key, such as `train.loss.dice`."""

from collections.abc import Iterator, Mapping
from typing import Any


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each dotted key and its value, in order; `prefix` comes before each key."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def set_values(params: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Give params other values, by dotted key.

    Raises:
        KeyError: a key is not there.
    """
    for key, value in changes.items():
        *sections, last = key.split(".")
        section = params
        for name in sections:
            section = section[name]
        if last not in section:
            raise KeyError(key)
        section[last] = value
