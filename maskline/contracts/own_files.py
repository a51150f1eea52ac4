"""The params that name the user's own files, which are where they are on each machine."""

from collections.abc import Mapping
from typing import Any

# Each with the values that name none.
OWN_FILES = {
    "dataset.path": ("none",),
    "model.encoder_weights": ("none", "imagenet"),
    "model.start_from": ("none",),
}


def own_files(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the params with dotted keys that name a file or folder of the user, and its path."""
    found = {key: params.get(key) for key in OWN_FILES}
    return {key: path for key, path in found.items() if isinstance(path, str) and path not in OWN_FILES[key]}
