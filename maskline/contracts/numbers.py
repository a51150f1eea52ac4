"""The types of numbers in records, with their bounds."""

from typing import Annotated

from pydantic import BeforeValidator, Field

Count = Annotated[int, Field(ge=0)]
Length = Annotated[int, Field(ge=1)]  # pixels
Share = Annotated[float, Field(ge=0, le=1)]
# A CSV file has no null: an unknown value is an empty cell.
Cell = Annotated[Share | None, BeforeValidator(lambda value: None if value == "" else value)]
