"""Loading a weights file into an encoder, completely or not at all."""

from pathlib import Path

import keras
import numpy as np

from maskline.contracts.hdf5 import check_hdf5
from maskline.errors import InputError
from maskline.messages import one_line


def load_weights(network: keras.Model, path: Path | None) -> None:
    """Load a weights file, which must set every variable; Keras itself ignores some that are missing.

    Args:
        network: an encoder, or the network that it is built from.
        path: a file in Keras 3's format, '.weights.h5', or in that of keras.applications, '.h5'; None: load nothing.

    Raises:
        InputError: the file contains the weights of another network.
    """
    if path is None:
        return
    floats = [variable for variable in network.variables if "float" in str(variable.dtype)]
    for variable in floats:
        variable.assign(np.full(variable.shape, np.nan))
    check_hdf5(path)
    try:
        network.load_weights(path)
        missing = [variable.path for variable in floats if np.isnan(variable).any()]
        reason = f"it has no finite values for {missing[0]}" if missing else ""
    except Exception as error:  # Keras raises whatever its readers meet
        reason = one_line(error)
    if reason:
        raise InputError(
            f"{path} does not contain the weights of {network.name} ({reason}); "
            "name a file of that network in model.encoder_weights, or set it to none."
        )
