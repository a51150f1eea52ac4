"""The half of section dataset that preprocess reads: which examples to keep, and what they must show."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.params.section import Section


class SelectionParams(Section):
    """The most examples of a split, the share of train held out for validation, and whether train may lack a class."""

    validation_fraction: Annotated[float, Field(gt=0, le=0.5)]
    limit: Annotated[int, Field(ge=1)] | None
    unseen: Literal["refuse", "allow"]
