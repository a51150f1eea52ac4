"""The network by stage: shares of its parameters and multiply-adds, and numbers short enough to read."""

from typing import Any

from maskline.contracts.network import Network, NetworkStage

_NAMES = {"encoder": "encoder", "decoder": "decoder", "head": "head", "training": "for the loss alone"}
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def network_totals(network: Network) -> dict[str, Any]:
    """Return the totals and the size of the image that they are for."""
    return {
        "parameters": short(network.parameters),
        "multiply_adds": short(network.multiply_adds * network.passes),
        "passes": network.passes,
        "size": f"{network.height} × {network.width}",  # noqa: RUF001
        "stride": max(stage.stride for stage in network.stages if stage.part == "encoder"),
    }


def network_rows(network: Network) -> list[dict[str, Any]]:
    """Return the rows of the table of stages, with shares of the totals; what only training does has no share."""
    return [_row(stage, network) for stage in network.stages]


def short(number: int) -> str:
    """Return a number with three digits and the unit's prefix, such as '3.87 G'."""
    for size, unit in _UNITS:
        if number >= 0.9995 * size:
            value = number / size
            return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}\u202f{unit}"
    return str(number)


def _row(stage: NetworkStage, network: Network) -> dict[str, Any]:
    predicts = stage.part != "training"
    return {
        **stage.model_dump(),
        "name": _NAMES[stage.part],
        "layers": [f"{count}\u202f× {kind}" for kind, count in stage.layers.items()],  # noqa: RUF001
        "parameters": short(stage.parameters),
        "parameter_share": stage.parameters / max(1, network.parameters),
        "multiply_adds": short(stage.multiply_adds),
        "multiply_add_share": stage.multiply_adds / max(1, network.multiply_adds) if predicts else None,
    }
