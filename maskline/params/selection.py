"""The half of section dataset that preprocess reads: which of the source's examples are kept, and for which split."""

from typing import Annotated

from pydantic import Field

from maskline.params.section import Section


class SelectionParams(Section):
    """How many examples each split keeps, and what is held out of train for validation."""

    validation_fraction: Annotated[float, Field(gt=0, le=0.5)]
    limit: Annotated[int, Field(ge=1)] | None
