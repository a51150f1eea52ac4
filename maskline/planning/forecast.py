"""What a project will cost: time, memory and disk of each stage."""

from typing import NamedTuple


class StageForecast(NamedTuple):
    """What a stage will cost.

    Attributes:
        stage: its name.
        seconds: of its run.
        memory: bytes, the most that its processes hold at the same time.
        disk: bytes of its outputs.
    """

    stage: str
    seconds: float
    memory: int
    disk: int
