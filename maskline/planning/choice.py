"""A value for a param, with its reason."""

from typing import Any, NamedTuple


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
