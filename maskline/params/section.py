"""What the sections share: their base class and the types of values."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticKnownError

Fraction = Annotated[float, Field(ge=0, lt=1)]
Strength = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=100)]
Name = Annotated[str, Field(min_length=1)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


def _null(path: Any) -> Any:
    return None if path == "none" else path


def _none(path: str | None) -> str:
    return path or "none"


# A file or folder of the user's, or 'none': params.yaml has no null here, because DVC needs the path of a dep.
OwnPath = Annotated[Name | None, BeforeValidator(_null), PlainSerializer(_none)]


class Section(BaseModel):
    """A section of params.yaml: every key must be present and of its type, and no other key is allowed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def one_of(names: Iterable[str]) -> BeforeValidator:
    """Return the check that a value is one of `names`, with the error that a Literal of them would raise."""
    *others, last = map(repr, names)

    def check(value: Any) -> Any:
        if not isinstance(value, str) or repr(value) not in (*others, last):
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
        return value

    return BeforeValidator(check)
