"""The machine that plan plans for."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from maskline.engine.cores import cores
from maskline.engine.memory import free_memory

_CPU = Path("/proc/cpuinfo")
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and, the last one, of ARM


class Machine(NamedTuple):
    """The machine that plan plans for.

    Attributes:
        cores: that this process may use.
        memory: bytes that this process may take; None if the system does not say.
        gpus: names of the GPUs that TensorFlow can use.
        bfloat16: whether the CPU multiplies bfloat16 in hardware, or there is a GPU that does.
    """

    cores: int
    memory: int | None
    gpus: list[str]
    bfloat16: bool


def this_machine(gpus: Callable[[], list[str]]) -> Machine:
    """Return this machine.

    Args:
        gpus: returns the names of the GPUs that TensorFlow can use, such as `Trials.gpus`.
    """
    names = gpus()
    return Machine(cores(), free_memory(), names, bool(names) or _cpu_has_bfloat16())


def _cpu_has_bfloat16() -> bool:
    try:
        lines = _CPU.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return bool(_FLAGS & set(flags.partition(":")[2].split()))
