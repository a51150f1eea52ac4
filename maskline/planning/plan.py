"""The plan: what is in a data set, the params that suit it on this machine, and what they will cost."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from maskline.files.dotted import leaves
from maskline.files.yaml12 import read_yaml
from maskline.planning.choice import Choice, with_choices
from maskline.planning.fingerprint import Fingerprint
from maskline.planning.forecast import StageForecast
from maskline.planning.machine import Machine
from maskline.planning.trial.measured import TrainingCost
from maskline.planning.wording import plural


class Change(NamedTuple):
    """A param that differs from its default.

    Attributes:
        key: its dotted name.
        value: as params.yaml holds it.
        default: of the root's params.yaml.
        reason: one line with the evidence.
    """

    key: str
    value: Any
    default: Any
    reason: str


class Plan(NamedTuple):
    """The plan for a data set.

    Attributes:
        found: what is in it.
        machine: that it is for.
        changes: params that differ from the defaults, in the order of params.yaml.
        forecast: of each stage.
    """

    found: Fingerprint
    machine: Machine
    changes: list[Change]
    forecast: list[StageForecast]


def make_plan(path: str, root: Path, minutes: float | None, weights: Path | None, say: Callable[[str], None]) -> Plan:
    """Look at a data set, try params on this machine, and choose.

    Args:
        path: a folder, or the name of a source that needs none.
        root: the folder of the params.yaml with the defaults.
        minutes: that training may take; None: as long as the data set deserves.
        weights: a file of encoder weights to start from.
        say: takes a line of progress.

    Raises:
        InputError: nothing is there that can be read, or no params fit.
    """
    from maskline.planning.forecast import forecast
    from maskline.planning.inspection.inspect import inspect
    from maskline.planning.machine import this_machine
    from maskline.planning.proposals.held_out import few_warnings
    from maskline.planning.proposals.propose import propose
    from maskline.planning.splits import images_by_role
    from maskline.planning.trial.trials import Trials

    defaults = read_yaml(root / "params.yaml")
    with Trials() as trials:
        say(f"looking at {path}")
        found = inspect(path)
        say("looking at this machine")
        machine = this_machine(trials.gpus)
        of_found = trials.of(found)

        def trial(params: dict[str, Any]) -> TrainingCost:
            say(_trying(params))
            return of_found(params)

        chosen = propose(defaults, found, machine, minutes, weights, trial)
        params = with_choices(defaults, [*found.source, *chosen])
        stages = forecast(params, found, machine, trials.measured(found, params))
    few = few_warnings(images_by_role(params, found))
    found = found._replace(warnings=[*found.warnings, *few])
    return Plan(found, machine, changes(defaults, [*found.source, *chosen]), stages)


def changes(defaults: dict[str, Any], choices: Iterable[Choice]) -> list[Change]:
    """Return the choices that differ from the defaults, in the order of the defaults; of two for a key, the later."""
    of_key = {choice.key: choice for choice in choices}
    return [
        Change(key, of_key[key].value, default, of_key[key].reason)
        for key, default in leaves(defaults)
        if key in of_key and of_key[key].value != default
    ]


def _trying(params: dict[str, Any]) -> str:
    model, size = params["model"], params["preprocess"]
    encoder = "" if model["architecture"] == model["encoder"] else f" with {model['encoder']}"
    batch = plural(params["train"]["batch_size"], "image")
    return f"trying {model['architecture']}{encoder} at {size['height']} x {size['width']}, {batch} a step"
