"""Section augment: how much each augmentation may change an image."""

from typing import Annotated

from pydantic import Field

from maskline.params.section import Section, Strength


class AugmentParams(Section):
    """How much each augmentation may change an image."""

    flip: bool
    scale: Annotated[float, Field(ge=0, lt=0.9)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    brightness: Strength
    contrast: Strength
    saturation: Strength
