"""The precision that the CPU or the GPU is fast in."""

from maskline.planning.choice import Choice
from maskline.planning.machine import Machine


def precision(machine: Machine) -> Choice:
    """Choose the precision of the network's layers."""
    if machine.bfloat16:
        where = f"the GPU {machine.gpus[0]}" if machine.gpus else "the CPU"
        return Choice("train.precision", "mixed_bfloat16", f"{where} multiplies bfloat16 in hardware")
    return Choice("train.precision", "float32", "nothing here multiplies bfloat16 in hardware")
