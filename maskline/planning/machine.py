"""The machine that plan plans for."""

from typing import NamedTuple


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
