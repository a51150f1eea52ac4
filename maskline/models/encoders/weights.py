"""Loading a weights file into an encoder, completely or not at all."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from maskline.contracts.hdf5 import check_hdf5
from maskline.contracts.safetensors import SUFFIX, read_safetensors
from maskline.errors import InputError
from maskline.messages import one_line
from maskline.models.encoders.transformers import assign_weights


def load_weights(network: keras.Model, path: Path | None) -> None:
    """Load a weights file, which must set every variable; Keras itself ignores some that are missing.

    Args:
        network: an encoder, or the network that it is built from.
        path: a file in Keras 3's format, '.weights.h5', in that of keras.applications, '.h5', or in that of Hugging
            Face's transformers, '.safetensors'; None: load nothing.

    Raises:
        InputError: the file contains the weights of another network.
    """
    if path is None:
        return
    floats = [variable for variable in network.variables if "float" in str(variable.dtype)]
    for variable in floats:
        variable.assign(np.full(variable.shape, np.nan))
    tensors = _tensors(path)
    try:
        if tensors is None:
            network.load_weights(path)
        else:
            assign_weights(network, tensors)
        missing = [variable.path for variable in floats if np.isnan(variable).any()]
        reason = f"it has no finite values for {missing[0]}" if missing else ""
    except Exception as error:  # Keras raises whatever its readers meet
        reason = one_line(error)
    if reason:
        raise InputError(
            f"{path} does not contain the weights of {network.name} ({reason}); "
            "name a file of that network in model.encoder_weights, or set it to none."
        )


def _tensors(path: Path) -> Mapping[str, np.ndarray] | None:
    """Return the tensors of a safetensors file; None for a file that is sound HDF5, which Keras reads."""
    if path.suffix == SUFFIX:
        return read_safetensors(path)
    check_hdf5(path)
    return None
