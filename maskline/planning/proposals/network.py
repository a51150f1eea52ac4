"""The network: which learns most in little time, with the encoder's weights that are at hand."""

from maskline.planning.choice import Choice
from maskline.planning.machine import Machine
from maskline.planning.proposals.weights import AtHand


def network(at_hand: AtHand, machine: Machine) -> list[Choice]:
    """Choose the architecture, the encoder with its weights, and the width."""
    if at_hand.encoder is None:
        return [
            Choice("model.architecture", "unet", "learns fast from random weights, and draws small objects"),
            Choice("model.encoder", "unet", "the network's own; a larger one needs pretrained weights"),
            Choice("model.encoder_weights", "none", at_hand.reason),
            _width(machine, 16, 32),
        ]
    return [
        Choice(
            "model.architecture",
            "unet_pix2pix",
            "has the best mean IoU of all networks after short training from ImageNet weights, and is fast",
        ),
        Choice("model.encoder", at_hand.encoder, f"its ImageNet weights are at hand; {_speed(at_hand, machine)}"),
        Choice("model.encoder_weights", at_hand.weights, at_hand.reason),
        _width(machine, 32, 64),
    ]


def _speed(at_hand: AtHand, machine: Machine) -> str:
    return "a GPU trains it" if machine.gpus else f"{machine.cores} CPU {'core' if machine.cores == 1 else 'cores'}"


def _width(machine: Machine, on_cpu: int, on_gpu: int) -> Choice:
    if machine.gpus:
        return Choice("model.width", on_gpu, f"the GPU {machine.gpus[0]} has time for more channels")
    return Choice("model.width", on_cpu, "a light decoder, so that the CPU trains more steps in the same time")
