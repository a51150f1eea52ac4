"""Section preprocess: what the shards hold."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.params.section import Section


class PreprocessParams(Section):
    """What the shards are to hold."""

    height: Annotated[int, Field(ge=16, le=8192)]
    width: Annotated[int, Field(ge=16, le=8192)]
    encoding: Literal["raw", "png", "jpeg"]
    examples_per_shard: Annotated[int, Field(ge=1, le=100_000)]
