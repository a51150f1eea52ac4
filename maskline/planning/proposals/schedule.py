"""Optimizer, learning rate, warm-up, moving average and early stopping, by the start of the weights and the steps."""

from maskline.planning.choice import Choice
from maskline.planning.wording import plural

_WARMUP_STEPS, _WARMUP_SHARE = 500, 0.1
_AVERAGED = 0.05  # share of the run that the moving average looks back over
_LONG = 40  # epochs


def schedule(is_pretrained: bool, epochs: int, epoch_steps: int) -> list[Choice]:
    """Choose how the weights are changed over the run."""
    steps = epochs * epoch_steps
    return [
        *_optimizer(is_pretrained),
        Choice("train.schedule", "cosine", "the learning rate reaches 0 at the end of the time"),
        _warmup(steps, epoch_steps),
        _average(steps),
        _early_stopping(epochs),
    ]


def _optimizer(is_pretrained: bool) -> list[Choice]:
    if is_pretrained:
        return [
            Choice("train.optimizer", "adamw", "decays weights, which many epochs on few images need"),
            Choice("train.weight_decay", 0.01, "the usual value for AdamW"),
            Choice("train.learning_rate", 0.001, "pretrained weights are changed gently"),
        ]
    return [
        Choice("train.optimizer", "adam", "no decay, because random weights have yet to grow"),
        Choice("train.weight_decay", 0.0, "Adam has none"),
        Choice("train.learning_rate", 0.003, "random weights have far to go"),
    ]


def _warmup(steps: int, epoch_steps: int) -> Choice:
    warmup = min(_WARMUP_STEPS, _WARMUP_SHARE * steps)
    return Choice("train.warmup_epochs", round(warmup / epoch_steps, 2), f"{warmup:.0f} of {steps:,} steps")


def _average(steps: int) -> Choice:
    window = max(10.0, min(1000.0, _AVERAGED * steps))
    if steps < 2 * window:
        return Choice("train.ema", 0.0, f"{plural(steps, 'step')} are too few to average over")
    return Choice("train.ema", round(1 - 1 / window, 3), f"averages about {window:.0f} of {steps:,} steps")


def _early_stopping(epochs: int) -> Choice:
    if epochs < _LONG:
        return Choice("train.early_stopping", 0, f"all {epochs} epochs fit into the time")
    patience = epochs // 3
    return Choice("train.early_stopping", patience, f"a third of {epochs} epochs without a better validation score")
