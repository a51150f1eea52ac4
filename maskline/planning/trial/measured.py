"""What a trial measures."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Measured(NamedTuple):
    """What a trial measures.

    Attributes:
        start: seconds to start Python and import TensorFlow.
        build: seconds to build the network and to trace the training step.
        first_step: seconds of the first training step.
        step: seconds of each further step, with its share of reading and augmentation.
        first_validation: seconds that the first validation takes in addition to its images.
        validation: seconds to validate an image.
        checkpoint: seconds to write a checkpoint.
        save: seconds to save the model.
        load: seconds to load it and to predict for the first time.
        evaluation: seconds to predict and count a test image.
        model_bytes: of the saved model.
        example_bytes: of an image and its mask in the shards.
        train_forecast: bytes that training takes by the check before its first step, with what the process holds then.
        train_peak: bytes, the most that the trial's training held.
        evaluation_peak: bytes, the most that a process that evaluates holds.
        device: the GPU's name; '' on a CPU.
    """

    start: float
    build: float
    first_step: float
    step: float
    first_validation: float
    validation: float
    checkpoint: float
    save: float
    load: float
    evaluation: float
    model_bytes: int
    example_bytes: int
    train_forecast: int
    train_peak: int
    evaluation_peak: int
    device: str


# Tries params, shaped like params.yaml. It raises InputError, one sentence, where training does not fit into memory or
# cannot work.
Trial = Callable[[dict[str, Any]], Measured]
