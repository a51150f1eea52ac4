"""Section preprocess: size, fit and encoding of the images in the shards."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.contracts.fit import Fit
from maskline.params.section import Section


class PreprocessParams(Section):
    """Size, fit, encoding and number of the examples in a shard."""

    height: Annotated[int, Field(ge=16, le=8192)]
    width: Annotated[int, Field(ge=16, le=8192)]
    fit: Fit
    encoding: Literal["raw", "png", "jpeg"]
    examples_per_shard: Annotated[int, Field(ge=1, le=100_000)]
