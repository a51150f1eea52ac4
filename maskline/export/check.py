"""The gate's decision: a model file compared with the .keras file that it came from, on the test images."""

from pathlib import Path

from maskline.comparison.compare import Comparison, Result, compare
from maskline.errors import InputError
from maskline.export.gate import Limits, counted, falls
from maskline.prediction.runtimes.opening import open_runtime

_RESAMPLES, _SEED = 10_000, 1


class Refused(InputError):
    """The score of a file falls too far.

    Args:
        sentence: what falls, and the remedy.
        comparison: of the two files.
    """

    def __init__(self, sentence: str, comparison: Comparison) -> None:
        super().__init__(sentence)
        self.comparison = comparison


def check_file(path: Path, model_file: Path, shards: Path, limits: Limits) -> Comparison:
    """Score a file on the test images and compare it with the .keras file.

    Raises:
        Refused: mean IoU, or the IoU of a class, falls by more than its limit.
        ArtifactError: a file or the shards are missing or damaged, or they do not belong together.
    """
    before = counted(str(model_file), model_file, open_runtime(model_file), shards)
    return passed(path, before, counted(str(path), path, open_runtime(path), shards), limits)


def passed(path: Path, before: Result, after: Result, limits: Limits) -> Comparison:
    """Return the comparison of two results if the second is not too far below the first.

    Raises:
        Refused: it is too far below.
    """
    comparison = compare(before, after, _RESAMPLES, _SEED)
    if fallen := falls(before, after, limits):
        raise Refused(
            f"{path} does not score as {before.name} does: {'; '.join(fallen)}; use float32 and the project's own "
            "preprocessing, or raise --max-drop or --max-class-drop if you accept the lower score.",
            comparison,
        )
    return comparison
