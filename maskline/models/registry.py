"""Architectures by name; the file of an architecture is imported on demand."""

from collections.abc import Callable
from importlib import import_module

from maskline.models.catalogue import NETWORKS
from maskline.models.interface import Architecture


def find_architecture(name: str, coarse: str) -> Architecture:
    """Return an architecture by name; one that refines another refines `coarse`.

    Args:
        name: one of `catalogue.NETWORKS`.
        coarse: one of `catalogue.REFINABLE`; ignored unless the network refines another.
    """
    network = NETWORKS[name]
    module = import_module(f"maskline.models.decoders.{network.module}")
    function = getattr(module, name)
    if network.refines:
        refine: Callable[[Architecture], Architecture] = function
        return refine(find_architecture(coarse, coarse))
    return Architecture(
        function,
        module.auxiliary_loss if network.auxiliary_loss else None,
        network.encoder_dropout,
        network.multi_grid,
        network.samples,
    )
