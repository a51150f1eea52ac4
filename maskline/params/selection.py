"""The half of section dataset that preprocess reads: how many examples to keep, and which to hold out."""

from typing import Annotated

from pydantic import Field

from maskline.params.section import Section


class SelectionParams(Section):
    """How many examples each split keeps, and the share of train held out for validation."""

    validation_fraction: Annotated[float, Field(gt=0, le=0.5)]
    limit: Annotated[int, Field(ge=1)] | None
