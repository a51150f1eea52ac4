"""Loading a weights file into an encoder, all of it or none."""

from pathlib import Path

import keras
import numpy as np

from maskline.contracts.hdf5 import check_hdf5
from maskline.errors import InputError
from maskline.messages import one_line


def load_weights(network: keras.Model, path: Path | None) -> None:
    """Load a weights file that must set every variable; Keras itself passes over some that a file lacks.

    Args:
        network: an encoder, or the network that it is made from.
        path: in Keras 3's format, '.weights.h5', or in that of keras.applications, '.h5'; None: load nothing.

    Raises:
        InputError: the file holds the weights of another network.
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
        reason = f"it sets no finite {missing[0]}" if missing else ""
    except Exception as error:  # Keras raises whatever its readers meet
        reason = one_line(error)
    if reason:
        raise InputError(
            f"{path} does not hold the weights of {network.name} ({reason}); "
            "name a file of that network in model.encoder_weights, or set it to none."
        )
