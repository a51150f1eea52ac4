"""The half of section dataset that preprocess reads: which examples to keep, and what they must show."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from maskline.params.section import Section


class SelectionParams(Section):
    """The most examples of a split, the share held out for validation, folds, and whether train may lack a class."""

    validation_fraction: Annotated[float, Field(gt=0, le=0.5)]
    limit: Annotated[int, Field(ge=1)] | None
    unseen: Literal["refuse", "allow"]
    folds: Annotated[int, Field(ge=2, le=20)] | None
    fold: Annotated[int, Field(ge=1, le=20)]

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.fold > (self.folds or 1):
            raise ValueError(
                f"fold must be at most dataset.folds, or 1 where that is null. Received: {self.fold} with folds "
                f"{'null' if self.folds is None else self.folds}"
            )
        return self
