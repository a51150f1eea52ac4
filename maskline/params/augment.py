"""Section augment: how much each augmentation may change an image, and what part of it training sees."""

from typing import Annotated

from pydantic import Field

from maskline.contracts.fit import Size
from maskline.params.section import Section, Strength

_Side = Annotated[int, Field(ge=16, le=8192)]


class AugmentParams(Section):
    """How much each augmentation may change an image, and what part of it training sees."""

    flip: bool
    flip_vertical: bool
    quarter_turns: bool
    scale: Annotated[float, Field(ge=0, lt=0.9)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    translation: Strength
    crop: Annotated[list[_Side], Field(min_length=2, max_length=2)] | None
    crop_rare: Strength
    copy_paste: Strength
    brightness: Strength
    contrast: Strength
    saturation: Strength
    hue: Annotated[float, Field(ge=0, le=180)]
    blur: Annotated[float, Field(ge=0, le=10)]

    def seen(self, image: Size) -> Size:
        """Return height and width, in pixels, of what training sees of an image of a size."""
        return (self.crop[0], self.crop[1]) if self.crop else image

    def refusal(self, image: Size) -> str | None:
        """Return why images of a size cannot be augmented so, with the keys' names, or None if they can."""
        height, width = self.seen(image)
        if height > image[0] or width > image[1]:
            return (
                "augment.crop must not be larger than preprocess.height and width, which are "
                f"{image[0]} and {image[1]}. Received: {self.crop}"
            )
        if self.crop_rare and not self.crop:
            return f"augment.crop_rare places crops, so it needs augment.crop. Received: {self.crop_rare}"
        if self.quarter_turns and height != width:
            return (
                "augment.quarter_turns needs square images; set augment.crop to two equal sides, or "
                f"augment.quarter_turns to false. Received: {height}x{width}"
            )
        return None
