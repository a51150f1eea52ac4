"""Size, batch and epochs that fit into the time and the memory, by trials of a few real steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

from maskline.errors import InputError
from maskline.planning.choice import Choice, with_choices
from maskline.planning.proposals.size import Size
from maskline.planning.trial.measured import TrainingCost, Trial
from maskline.planning.wording import plural

MOST_EPOCHS = 300

_REFERENCE = 128 * 128  # pixels at which the fewest steps suffice
_FEW_STEPS = 600  # below it, half the batch and twice the steps learn more from the same images
_SPARE = 0.95  # share of the time that is planned, because no two runs take the same
_FREE = 0.8  # share of the memory that is planned
_TOO_LARGE = "not even a batch of the smallest images fits into memory; free some, or use a larger machine."
_GROWTH = 1.1  # exponent of a step's time over the pixels, measured


class Demand(NamedTuple):
    """What a network needs to learn.

    Attributes:
        steps: the fewest steps for images of 128x128 pixels; larger ones pay off only with more steps, in proportion.
        batch_size: to begin with.
        short_batch: for a run of few steps, which half the batch doubles.
        least_batch: the fewest images in a batch.
    """

    steps: int
    batch_size: int
    short_batch: int
    least_batch: int


class Fitted(NamedTuple):
    """What fits.

    Attributes:
        size: height and width, pixels.
        batch_size: images.
        epochs: passes over train.
        epoch_steps: steps of a pass.
        cost: by the trial of these.
        seconds: that training will take.
        is_short: whether the batch is smaller so that the run has more steps.
    """

    size: Size
    batch_size: int
    epochs: int
    epoch_steps: int
    cost: TrainingCost
    seconds: float
    is_short: bool = False

    @property
    def steps(self) -> int:
        """The steps of the whole run."""
        return self.epochs * self.epoch_steps

    @property
    def memory(self) -> int:
        """Bytes that training takes."""
        return self.cost.memory


def fitted(
    params: dict[str, Any],
    ladder: list[Size],
    demand: Demand,
    images: tuple[int, int],
    seconds: float,
    memory: int | None,
    trial: Trial,
) -> Fitted:
    """Return the largest size that leaves time for enough steps, the batch that fits into memory, and the epochs.

    The first trial is of the size closest to 128x128 from below. Its time, scaled by the pixels, says which size to try
    next; while that turns out to be too slow, the next smaller one is tried.

    Args:
        params: all others, shaped like params.yaml.
        ladder: the sizes from small to large.
        images: number of train and of validation images.
        seconds: that training may take.
        memory: bytes that this process may take; None if unknown.

    Raises:
        InputError: not even the smallest size fits into memory, or can be tried.
    """

    def attempt(size: Size, batch_size: int) -> Fitted | InputError:
        wanted = demand._replace(batch_size=batch_size)
        return _attempt(params, size, wanted, images, seconds, memory, trial)

    found = _sized(lambda level: attempt(ladder[level], demand.batch_size), ladder, demand, images, seconds)
    if found.steps < _FEW_STEPS and demand.short_batch < found.batch_size:
        shorter = attempt(found.size, demand.short_batch)
        return shorter._replace(is_short=True) if isinstance(shorter, Fitted) else found
    return found


def _sized(
    attempt: Callable[[int], Fitted | InputError],
    ladder: list[Size],
    demand: Demand,
    images: tuple[int, int],
    seconds: float,
) -> Fitted:
    """Return the largest size that leaves time for enough steps.

    Args:
        attempt: tries a level of the ladder.
    """
    level = max((at for at, size in enumerate(ladder) if _pixels(size) <= _REFERENCE), default=0)
    found = _largest(attempt, level)
    wanted = _promising(found, ladder, demand, images, seconds)
    for lower in range(wanted, -1, -1):
        if ladder[lower] == found.size:
            return found
        other = attempt(lower)
        if isinstance(other, Fitted) and (lower == 0 or other.steps >= _needed(demand, other.size)):
            return other
    return found


def batch_choice(found: Fitted, demand: Demand, train: int, memory: int | None) -> Choice:
    """Choose the batch size.

    Args:
        found: what fits.
        demand: what the network needs.
        train: number of train images.
        memory: bytes that this process may take; None if unknown.
    """
    amount = f"{found.memory / 1e9:.2g} GB"
    forecast = f"{amount} of {memory / 1e9:.3g} GB forecast" if memory else f"{amount} forecast"
    if found.is_short:
        return Choice(
            "train.batch_size", found.batch_size, f"{forecast}; a larger batch leaves too few steps in the time"
        )
    if found.batch_size < _first_batch(demand, train):
        return Choice("train.batch_size", found.batch_size, f"{forecast}; larger batches do not fit")
    if found.batch_size < demand.batch_size:
        reason = f"{forecast}; larger batches of {plural(train, 'image')} would make a pass of few steps"
        return Choice("train.batch_size", found.batch_size, reason)
    return Choice("train.batch_size", found.batch_size, f"{forecast}; small batches take more steps in the same time")


def epochs_choice(found: Fitted, seconds: float) -> Choice:
    """Choose the epochs."""
    evidence = (
        f"{plural(found.steps, 'step')} of {found.cost.step:.2g} s and {plural(found.epochs, 'validation')} take about "
        f"{found.seconds / 60:,.{_digits(found.seconds)}f} of {seconds / 60:,.{_digits(seconds)}f} min"
    )
    if found.seconds > seconds:
        evidence += "; not even one pass fits"
    if found.epochs == MOST_EPOCHS and found.seconds < _SPARE * seconds:
        evidence += "; more epochs would add little"
    return Choice("train.epochs", found.epochs, evidence)


def _digits(seconds: float) -> int:
    """Return the digits after the point of a time in minutes."""
    return 0 if seconds >= 600 else 1


def size_reason(found: Fitted, ladder: list[Size]) -> str:
    """Return why the size was chosen."""
    if found.size == ladder[-1]:
        return "no larger, because there are no more details to see"
    return f"no larger, because the run has {plural(found.steps, 'step')}, and larger images need more"


def _attempt(
    params: dict[str, Any],
    size: Size,
    demand: Demand,
    images: tuple[int, int],
    seconds: float,
    memory: int | None,
    trial: Trial,
) -> Fitted | InputError:
    """Try a size with smaller and smaller batches, and return what fits into memory, or why nothing does."""
    batch_size = _first_batch(demand, images[0])
    while True:
        tried = with_choices(params, _tried(size, batch_size))
        try:
            cost = trial(tried)
        except InputError as error:
            refusal = error
        else:
            if memory is None or cost.memory <= _FREE * memory:
                return _with_epochs(size, batch_size, cost, images, seconds)
            refusal = InputError(_TOO_LARGE)
        if batch_size == demand.least_batch:
            return refusal
        batch_size = max(demand.least_batch, batch_size // 2)


def _first_batch(demand: Demand, train: int) -> int:
    """Return the batch size to begin with: small enough for four steps in a pass."""
    return max(demand.least_batch, min(demand.batch_size, train // 4))


def _tried(size: Size, batch_size: int) -> list[Choice]:
    values = {"preprocess.height": size[0], "preprocess.width": size[1], "train.batch_size": batch_size}
    return [Choice(key, value, "") for key, value in values.items()]


def _largest(attempt: Callable[[int], Fitted | InputError], level: int) -> Fitted:
    found = attempt(level)
    if isinstance(found, Fitted):
        return found
    if level == 0:
        raise found
    return _largest(attempt, level - 1)


def _with_epochs(size: Size, batch_size: int, cost: TrainingCost, images: tuple[int, int], seconds: float) -> Fitted:
    train, validation = images
    epoch_steps = max(1, train // batch_size)
    once, epoch = cost.once(validation), cost.epoch(epoch_steps, validation)
    epochs = max(1, min(MOST_EPOCHS, int((_SPARE * seconds - once) / epoch)))
    return Fitted(size, batch_size, epochs, epoch_steps, cost, once + epochs * epoch)


def _promising(found: Fitted, ladder: list[Size], demand: Demand, images: tuple[int, int], seconds: float) -> int:
    """Return the level of the largest size that is likely to leave time for enough steps; 0 if none is."""

    def enough(size: Size) -> bool:
        factor = (_pixels(size) / _pixels(found.size)) ** _GROWTH
        slower = found.cost._replace(step=found.cost.step * factor, validation=found.cost.validation * factor)
        return _with_epochs(size, found.batch_size, slower, images, seconds).steps >= _needed(demand, size)

    return max((level for level, size in enumerate(ladder) if enough(size)), default=0)


def _needed(demand: Demand, size: Size) -> float:
    return demand.steps * max(1.0, _pixels(size) / _REFERENCE)


def _pixels(size: Size) -> int:
    return size[0] * size[1]
