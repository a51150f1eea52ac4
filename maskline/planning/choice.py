"""A value for a param, with its reason; and params with such values."""

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

from maskline.files.dotted import set_values


class Choice(NamedTuple):
    """A value for a param.

    Attributes:
        key: dotted name of the param, such as 'preprocess.height'.
        value: as params.yaml holds it.
        reason: one line with the evidence, without a full stop.
    """

    key: str
    value: Any
    reason: str


def with_choices(params: dict[str, Any], choices: Iterable[Choice]) -> dict[str, Any]:
    """Return a copy of params, shaped like params.yaml, with the values of choices.

    Raises:
        KeyError: a key is not there.
    """
    changed = copy.deepcopy(params)
    set_values(changed, {choice.key: choice.value for choice in choices})
    return changed
