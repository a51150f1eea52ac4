"""Files of the safetensors format, in which Hugging Face publishes weights, read without its package.

A file is the length of a header (8 bytes, little-endian), the header, which is JSON, and the numbers of all tensors.
https://huggingface.co/docs/safetensors
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskline.errors import InputError

SUFFIX = ".safetensors"

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a file by name; their numbers are read from disk when they are used.

    Raises:
        InputError: the file is not whole, or holds something else than floating-point numbers of 16 to 64 bits.
    """
    try:
        data = np.memmap(path, np.uint8, "r")
        start = 8 + int.from_bytes(data[:8].tobytes(), "little")
        header = json.loads(data[8:start].tobytes())
        numbers = data[start:]
        return {name: _tensor(numbers, entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"{path} is not a complete safetensors file of floating-point numbers; remove it and get the weights again."
        ) from None


def _tensor(numbers: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    begin, end = entry["data_offsets"]
    return numbers[begin:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
