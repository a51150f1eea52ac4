"""The encoder whose ImageNet weights are at hand: in a named file, Keras's cache, or on the publisher's host."""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from maskline.contracts.hdf5 import check_hdf5
from maskline.datasets.weights import IMAGENET
from maskline.errors import InputError

# From light to heavy. The light ones come first on a CPU, because a short run then has the more steps.
_ON_CPU = ("mobilenet_v2", "efficientnet_v2_b0", "efficientnet_b0", "resnet50", "densenet121", "xception", "vgg16")
_ON_GPU = ("efficientnet_v2_b0", "resnet50", "mobilenet_v2", "efficientnet_b0", "densenet121", "xception", "vgg16")
_TIMEOUT = 2.0  # seconds


class AtHand(NamedTuple):
    """Weights of an encoder.

    Attributes:
        encoder: its name in params; None if no weights are at hand.
        weights: value of model.encoder_weights.
        reason: where the weights come from, or why there are none.
    """

    encoder: str | None
    weights: str
    reason: str


def weights_at_hand(named: Path | None, on_gpu: bool, is_reachable: Callable[[str], bool] | None = None) -> AtHand:
    """Return the weights to start from.

    Args:
        named: the user's file; None if none is named.
        on_gpu: whether a GPU trains.
        is_reachable: function of a URL; the default tries to connect to its host for two seconds.

    Raises:
        InputError: the named file is missing or not HDF5, or its name does not say which encoder it is for.
    """
    if named:
        encoder = encoder_of(named)
        return AtHand(encoder, str(named), f"the named file {named.name} is for {encoder}")
    order = _ON_GPU if on_gpu else _ON_CPU
    for encoder in order:
        if (cached := _cache() / IMAGENET[encoder].url.rpartition("/")[2]).is_file():
            return AtHand(encoder, "imagenet", f"{cached.name} is in Keras's cache")
    host = urlsplit(IMAGENET[order[0]].url).hostname
    if (is_reachable or _answers)(IMAGENET[order[0]].url):
        return AtHand(order[0], "imagenet", f"{host} answers, so that download can fetch the weights")
    return AtHand(
        None,
        "none",
        f"no ImageNet weights are at hand: no file is named, Keras's cache has none, {host} does not answer",
    )


def encoder_of(path: Path) -> str:
    """Return the encoder that a weights file is for, by the file's name as Keras publishes it.

    Raises:
        InputError: the file is missing or not HDF5, or its name begins with no encoder's name.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; name an existing file of encoder weights.")
    check_hdf5(path)
    name = _plain(path.name)
    fitting = [encoder for encoder in IMAGENET if name.startswith(_plain(encoder))]
    if not fitting:
        raise InputError(
            f"{path}: the file's name must begin with its encoder's, one of {', '.join(IMAGENET)}. "
            f"Received: {path.name!r}"
        )
    return max(fitting, key=len)


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _cache() -> Path:
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras"))) / "models"


def _answers(url: str) -> bool:
    try:
        socket.create_connection((urlsplit(url).hostname or "", 443), _TIMEOUT).close()
    except OSError:
        return False
    return True
