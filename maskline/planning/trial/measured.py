"""What a trial measures."""

from collections.abc import Callable
from typing import Any, NamedTuple

_SAVE_EVERY = 60.0  # seconds between checkpoints inside an epoch


class TrainingCost(NamedTuple):
    """What training costs.

    Attributes:
        start: seconds to start Python and to import TensorFlow.
        build: seconds to build the network and to trace its training step.
        first_step: seconds of the first training step.
        preparation: seconds to resize, count and encode an image of the original size and its mask.
        step: seconds of each further step, with reading and augmentation.
        first_validation: seconds that the first validation takes in addition to its images.
        validation: seconds to validate an image.
        checkpoint: seconds to write a checkpoint.
        save: seconds to save the model.
        model_bytes: of the saved model.
        example_bytes: of an image and its mask in the shards.
        forecast: bytes that training takes by the check before its first step, with what the process holds by then.
        peak: bytes, the most that the trial held.
        device: the GPU's name; '' on a CPU.
    """

    start: float
    build: float
    first_step: float
    preparation: float
    step: float
    first_validation: float
    validation: float
    checkpoint: float
    save: float
    model_bytes: int
    example_bytes: int
    forecast: int
    peak: int
    device: str

    def once(self, validation: int) -> float:
        """Return the seconds apart from the epochs: start, end, and the validation before the first step.

        Args:
            validation: number of validation images.
        """
        first_step = self.first_step - self._stepping
        first_validation = self.first_validation + validation * self.validation
        return self.start + self.build + first_step + first_validation + self.save

    def epoch(self, steps: int, validation: int) -> float:
        """Return the seconds of an epoch of so many steps and validation images."""
        return steps * self._stepping + validation * self.validation + self.checkpoint

    @property
    def _stepping(self) -> float:
        """Seconds of a step with its share of the checkpoints inside an epoch."""
        return self.step * (1 + self.checkpoint / _SAVE_EVERY)

    @property
    def memory(self) -> int:
        """Bytes that training takes; the forecast is of training on the CPU."""
        return self.peak if self.device else max(self.forecast, self.peak)


class EvaluationCost(NamedTuple):
    """What evaluation costs.

    Attributes:
        load: seconds to load the model and to predict for the first time.
        image: seconds to predict a test image, to count its pixels, and to collect its labels to check.
        checked: seconds to predict a validation image and to collect its labels to check.
        picture: seconds to draw an image for the report.
        picture_bytes: of the drawn pictures of an image.
        peak: bytes, the most that the trial held.
    """

    load: float
    image: float
    checked: float
    picture: float
    picture_bytes: int
    peak: int


class Measured(NamedTuple):
    """What the trials of training and of evaluation measure."""

    training: TrainingCost
    evaluation: EvaluationCost


# Tries to train with params, a dict shaped like params.yaml. It raises InputError, one sentence, where training does
# not fit into memory or cannot work.
Trial = Callable[[dict[str, Any]], TrainingCost]
