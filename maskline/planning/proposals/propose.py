"""Params for a data set, a machine and a time, each with its reason."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskline.models.catalogue import NETWORKS
from maskline.params.check import check_params
from maskline.planning.choice import Choice, with_choices
from maskline.planning.fingerprint import Fingerprint
from maskline.planning.machine import Machine
from maskline.planning.proposals.augmentation import augmentation
from maskline.planning.proposals.fitting import MOST_EPOCHS, Demand, batch_choice, epochs_choice, fitted, size_reason
from maskline.planning.proposals.held_out import check_enough, held_out
from maskline.planning.proposals.loss import loss
from maskline.planning.proposals.network import network
from maskline.planning.proposals.precision import precision
from maskline.planning.proposals.schedule import schedule
from maskline.planning.proposals.scoring import scoring
from maskline.planning.proposals.size import size_choices, sizes
from maskline.planning.proposals.storage import storage
from maskline.planning.proposals.weights import weights_at_hand
from maskline.planning.splits import images_by_role
from maskline.planning.trial.measured import Trial

MINUTES = 30.0
_STEPS = 300  # with 128x128 pixels; larger images need more


def propose(
    defaults: dict[str, Any],
    fingerprint: Fingerprint,
    machine: Machine,
    minutes: float | None,
    weights: Path | None,
    trial: Trial,
    is_reachable: Callable[[str], bool] | None = None,
) -> list[Choice]:
    """Return params for a data set, each with its reason; the fingerprint's own choices are not among them.

    Args:
        defaults: all params, shaped like params.yaml.
        minutes: that training may take; None: 30.
        weights: the user's file of encoder weights; None: those of Keras's cache or of their publisher, if it answers.
        is_reachable: function of a URL; the default tries to connect to its host for two seconds.

    Raises:
        InputError: the images are too few, the weights file cannot be used, or no training fits into memory.
    """
    check_enough(fingerprint)
    seconds = 60 * (MINUTES if minutes is None else minutes)
    at_hand = weights_at_hand(weights, bool(machine.gpus), is_reachable)
    choices = [
        *held_out(fingerprint),
        *network(at_hand, machine),
        precision(machine),
        *loss(fingerprint),
        scoring(fingerprint),
    ]
    params = with_choices(defaults, [*fingerprint.source, *choices])
    images = images_by_role(params, fingerprint)

    def by_steps(epochs: int, epoch_steps: int) -> list[Choice]:
        return [
            *augmentation(fingerprint, images["train"], epochs),
            *schedule(at_hand.encoder is not None, epochs, epoch_steps),
        ]

    params = with_choices(params, by_steps(MOST_EPOCHS, 1))  # the slowest, until the epochs are known
    ladder = sizes(fingerprint.median)
    demand = _demand(params, machine)
    found = fitted(params, ladder, demand, (images["train"], images["validation"]), seconds, machine.memory, trial)
    choices += [
        *size_choices(fingerprint, found.size, size_reason(found, ladder)),
        *storage(sum(images.values()), found.size, machine.cores, shutil.disk_usage(Path.cwd()).free),
        batch_choice(found, demand, images["train"], machine.memory),
        epochs_choice(found, seconds),
        *by_steps(found.epochs, found.epoch_steps),
    ]
    check_params(with_choices(params, choices), Path("the proposed params"))
    return choices


def _demand(params: dict[str, Any], machine: Machine) -> Demand:
    least = 2 if NETWORKS[params["model"]["architecture"]].image_pooling else 1
    batch_size = 16 if machine.gpus else 8
    return Demand(_STEPS, batch_size, batch_size // 2, least)
